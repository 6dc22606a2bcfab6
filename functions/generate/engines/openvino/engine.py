"""The OpenVINO engine: quantized models on the CPU, many answers at once, and no torch."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from rich.console import Console

from events.errors import SettingsError
from events.runtime.clock import Clock
from events.schema import Sampling, Turn
from functions.generate.decoding.stages import WritingStage
from functions.generate.decoding.writer import AnswerWriter, Times
from functions.generate.engine import GeneratedAnswer, OnProgress
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.model_spec import spec_of_prepared
from functions.generate.engines.openvino.protocol import Job
from functions.generate.engines.partial_text import PARTIAL_TEXT_INTERVAL, partial_text_sender, with_earlier_tokens
from functions.generate.engines.prepared_models import prepare_for_openvino
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.tokens import FastTokenizer
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.prompter import Prompter
from functions.generate.settings import MAX_INPUT_TOKENS, MAX_THOUGHT_TOKENS, Arithmetic, GenerateSettings

_TYPICAL_LOGIT = 16
"""Of a likely token, in the models that were looked at."""
_LARGEST_PENALTY = 2.0
"""GenAI's limit; a repetition penalty of 1.14 reaches it."""


async def open_engine(settings: GenerateSettings, *, clock: Clock, begun: Batch | None = None) -> "OpenVINOEngine":
    """Open the engine as the settings say; prepares the model if need be. `begun` may load it already.

    Raises TimokhaError, one line, if the model can't be served.
    """
    return await asyncio.to_thread(_load, settings, clock, begun)


def _load(settings: GenerateSettings, clock: Clock, begun: Batch | None) -> "OpenVINOEngine":
    return OpenVINOEngine(
        prepare_for_openvino(settings, Console(stderr=True)),
        slots=settings.slots,
        clock=clock,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
        arithmetic=settings.arithmetic,
        begun=begun,
    )


def _tokenizer(directory: Path, described: ServingInfo) -> FastTokenizer:
    try:
        return FastTokenizer(directory, described)
    except Exception as error:  # noqa: BLE001 - tokenizers raises that itself
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SettingsError(f"{directory} can't be loaded ({why}): delete it, and it is made again") from None


class OpenVINOEngine:
    """An `Engine` with continuous batching."""

    provider = "openvino"
    samples = True

    def __init__(
        self,
        directory: Path,
        *,
        slots: int,
        clock: Clock,
        max_input_tokens: int = MAX_INPUT_TOKENS,
        max_thought_tokens: int = MAX_THOUGHT_TOKENS,
        arithmetic: Arithmetic = Arithmetic.AUTO,
        begun: Batch | None = None,
    ) -> None:
        """`directory` is a prepared model (see `prepared`); blocks for a second or two. `begun` may load it already.

        Raises SettingsError, one line, if the model can't be served.
        """
        described = ServingInfo.read(directory)
        self._card = described.card
        self._ends = frozenset(described.ends)
        self._numbers = count(1)
        self._encoding = ThreadPoolExecutor(1, thread_name_prefix="encode")
        model = spec_of_prepared(
            directory,
            described,
            slots=slots,
            max_input_tokens=max_input_tokens,
            max_thought_tokens=max_thought_tokens,
            arithmetic=arithmetic,
        )
        # Its process loads the model while the tokenizer is loaded here.
        self._batch = begun if begun and begun.model == model else Batch(model)
        try:
            self._tokenizer = _tokenizer(directory, described)
            form = self._card.prompt_format(partial(self._tokenizer.template, clock), prompt_tokens=max_input_tokens)
            encoder = Encoder(self._tokenizer)
            prompter = Prompter(self.model, form, encoder, context=described.context, max_input_tokens=max_input_tokens)
            self._writer = AnswerWriter(
                prompter,
                self._tokenizer,
                ends=self._ends,
                form=form,
                decode=self._tokenizer.decode,
                max_thought_tokens=max_thought_tokens,
            )
            self._batch.wait()
        except BaseException:
            self._batch.close()
            raise

    @property
    def model(self) -> str:
        return self._card.name

    @property
    def own_sampling(self) -> Mapping[str, float]:
        return self._card.sampling.values

    async def generate(
        self,
        turns: Sequence[Turn],
        sampling: Sampling,
        *,
        persona: str = "",
        on_progress: OnProgress | None = None,
    ) -> GeneratedAnswer:
        """Answer the last turn. Cancelling removes it from the batch at the next step."""
        loop = asyncio.get_running_loop()
        prompt, stages = await loop.run_in_executor(self._encoding, self._writer.begin, turns, sampling, persona)
        times, earlier = Times(), list[tuple[int, int]]()
        async with partial_text_sender(on_progress, self._writer.partial_text) as send_partial:
            while stage := stages.next():
                job = self._job(
                    [*prompt, *stages.tokens],
                    sampling,
                    stage,
                    partial_interval=PARTIAL_TEXT_INTERVAL if send_partial else None,
                )
                job = replace(job, earlier=tuple(earlier))
                earlier.append((job.number, len(job.prompt)))
                written = await asyncio.wrap_future(
                    self._batch.submit(job, with_earlier_tokens(stages.tokens, send_partial))
                )
                times.add(written.prompt_seconds, written.generation_seconds)
                stages.add(written.tokens, cut=written.cut)
        return self._writer.answer(prompt, stages, times)

    async def close(self) -> None:
        """Drop what is being generated."""
        await asyncio.to_thread(self._batch.close)
        self._encoding.shutdown()

    def _job(
        self, prompt: list[int], sampling: Sampling, stage: WritingStage, *, partial_interval: float | None
    ) -> Job:
        # GenAI's repetition penalty also applies to the prompt's words, and so to the end of a line.
        penalty = _TYPICAL_LOGIT * (1 - 1 / sampling.repetition_penalty)
        return Job(
            next(self._numbers),
            prompt,
            stage.limit,
            self._ends | stage.stops,
            presence_penalty=min(_LARGEST_PENALTY, penalty),
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            seed=stage.seed(sampling.seed),
            # An answer must have words, but a mark may come first, and the library can't tell them apart.
            may_be_empty=bool(stage.stops),
            partial_interval=None if stage.thinking else partial_interval,
        )
