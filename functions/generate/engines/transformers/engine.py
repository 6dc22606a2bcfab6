"""The transformers engine: any causal language model, one answer at a time, on the CPU."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any, Self

import torch
from rich.console import Console
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    SuppressTokensAtBeginLogitsProcessor,
)

from events.runtime.clock import Clock
from events.schema import Sampling, Turn
from functions.generate.decoding.stages import AnswerStages, WritingStage
from functions.generate.decoding.writer import AnswerWriter, Times
from functions.generate.engine import GeneratedAnswer, OnProgress
from functions.generate.engines.partial_text import (
    PARTIAL_TEXT_INTERVAL,
    Throttle,
    partial_text_sender,
    with_earlier_tokens,
)
from functions.generate.engines.prepared_models import prepare_for_transformers
from functions.generate.engines.transformers.checkpoints import Checkpoint, load_checkpoint
from functions.generate.models.card import LEAST_PROMPT_FOR_EXAMPLES, ModelCard
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import Format
from functions.generate.prompts.prompter import Prompter
from functions.generate.prompts.templates import ChatTemplate
from functions.generate.prompts.tokenizer import ByteTokens
from functions.generate.settings import MAX_INPUT_TOKENS, MAX_THOUGHT_TOKENS, Decoding, GenerateSettings

ANSWERS = 3
ORIGINAL_DECODING: dict[str, Any] = {
    "do_sample": True,
    "num_beams": 20,
    "num_return_sequences": ANSWERS,
    "temperature": 1.5,
}
"""The original bot's decoding, for transformers' `GenerationConfig`: 20 beams that sample. It kept three answers, and
sent one of them, drawn by chance."""


def pick_answer(output: Any, prompt_length: int, ends: Sequence[int], seed: int) -> list[int]:
    """The tokens of one of the answers in `output`, of shape (ANSWERS, tokens), without the padding after its end."""
    answer = output[Random(seed).randrange(ANSWERS), prompt_length:].tolist()  # noqa: S311 -- a choice, no secret
    end = next((place for place, token in enumerate(answer) if token in ends), len(answer) - 1)
    return [int(token) for token in answer[: end + 1]]


async def open_engine(settings: GenerateSettings, *, clock: Clock) -> "TransformersEngine":
    """Open the engine as the settings say; prepares the default model if need be.

    Raises TimokhaError, one line, if the model can't be served.
    """
    return await asyncio.to_thread(_load, settings, clock)


def _load(settings: GenerateSettings, clock: Clock) -> "TransformersEngine":
    source = settings.model or str(prepare_for_transformers(settings, Console(stderr=True)))
    return TransformersEngine.load(
        source,
        clock=clock,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
        beams=settings.decoding is Decoding.ORIGINAL,
    )


class TransformersEngine:
    """An `Engine`. Requests wait for one another: two at once would share the same cores."""

    provider = "transformers"

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        clock: Clock,
        max_input_tokens: int = MAX_INPUT_TOKENS,
        max_thought_tokens: int = MAX_THOUGHT_TOKENS,
        beams: bool = False,
    ) -> None:
        """`max_input_tokens` bounds the prompt, and so the wait for the first word, below the model's own context.

        `beams`: decode as the original did (`ORIGINAL_DECODING`), whatever temperature, top_k and top_p a request asks
        for.
        """
        self._beams = beams
        self._clock = clock
        self._model: Any = checkpoint.model
        self._tokenizer: Any = checkpoint.tokenizer
        self._card = checkpoint.card
        self._format = format_of(checkpoint.card, checkpoint.tokenizer, clock, prompt_tokens=max_input_tokens)
        self._ends = end_tokens(checkpoint, self._format)
        self._writer = make_writer(
            checkpoint, self._format, max_input_tokens=max_input_tokens, max_thought_tokens=max_thought_tokens
        )
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="generate")

    @classmethod
    def load(
        cls,
        source: str,
        *,
        clock: Clock,
        max_input_tokens: int = MAX_INPUT_TOKENS,
        max_thought_tokens: int = MAX_THOUGHT_TOKENS,
        threads: int | None = None,
        beams: bool = False,
    ) -> Self:
        """Read `source` (see `checkpoints.load_checkpoint`); blocks for seconds. `threads`: torch's choice if None.

        Raises SettingsError, one line, if the model can't be served.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(
            load_checkpoint(source),
            clock=clock,
            max_input_tokens=max_input_tokens,
            max_thought_tokens=max_thought_tokens,
            beams=beams,
        )

    @property
    def model(self) -> str:
        return self._card.name

    @property
    def samples(self) -> bool:
        return not self._beams

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
        """Answer the last turn. Cancelled, it stops at the next token."""
        cancelled = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            async with partial_text_sender(on_progress, self._writer.partial_text) as send_partial:
                begin = partial(self._writer.begin, turns, sampling, persona)
                return await loop.run_in_executor(self._worker, self._answer, begin, sampling, cancelled, send_partial)
        finally:
            cancelled.set()

    async def close(self) -> None:
        """Finish what is being generated, drop what waits."""
        await asyncio.to_thread(self._worker.shutdown, cancel_futures=True)

    def _answer(
        self,
        begin: Callable[[], tuple[list[int], AnswerStages]],
        sampling: Sampling,
        cancelled: threading.Event,
        send_partial: "_SendPartial | None",
    ) -> GeneratedAnswer:
        prompt, stages = begin()
        times, cache = Times(), None
        while (stage := stages.next()) and not cancelled.is_set():
            read = [*prompt, *stages.tokens]
            watch = _Watch(
                self._tokenizer,
                len(read),
                self._format.end,
                cancelled=cancelled,
                send_partial=None
                if self._beams or stage.thinking
                else with_earlier_tokens(stages.tokens, send_partial),
                clock=self._clock,
            )
            started = self._clock.monotonic()
            tokens, cache = self._write(read, sampling, stage, watch, cache)
            ended = self._clock.monotonic()
            first = watch.first_token_at or ended
            times.add(first - started, ended - first)
            cut = len(tokens) == stage.limit and not watch.ended and tokens[-1] not in self._ends
            stages.add(tokens, cut=cut)
        return self._writer.answer(prompt, stages, times)

    def _write(
        self, prompt: list[int], sampling: Sampling, stage: WritingStage, watch: "_Watch", cache: Any
    ) -> tuple[list[int], Any]:
        """The tokens after `prompt`, and what the model remembers of them, as `cache` is of an earlier stage."""
        ids = torch.tensor([prompt])
        # transformers draws from the global generator: seeded here, and given back as it was.
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(stage.seed(sampling.seed))
            output = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=self._config(sampling, stage),
                logits_processor=self._processors(sampling, stage, len(prompt)),
                stopping_criteria=StoppingCriteriaList([watch]),
                **({} if cache is None else {"past_key_values": cache}),
            )
        if self._beams:
            return pick_answer(output.sequences, len(prompt), self._ends, sampling.seed), None
        return output.sequences[0, len(prompt) :].tolist(), _reusable(output)

    def _config(self, sampling: Sampling, stage: WritingStage) -> GenerationConfig:
        how: dict[str, Any] = {"do_sample": sampling.temperature > 0}
        if self._beams:
            how = ORIGINAL_DECODING
        elif how["do_sample"]:
            how |= {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
        return GenerationConfig(
            max_new_tokens=stage.limit,
            eos_token_id=[*self._ends, *stage.stops],
            pad_token_id=self._ends[0],
            return_dict_in_generate=True,
            **how,
        )

    def _processors(self, sampling: Sampling, stage: WritingStage, prompt_length: int) -> LogitsProcessorList:
        """No empty answers, and no repetitions; the prompt's own words may be used again."""
        return LogitsProcessorList(
            [
                RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty, prompt_ignore_length=prompt_length),
                SuppressTokensAtBeginLogitsProcessor(
                    barred_first_tokens(self._tokenizer, self._ends, stage), prompt_length
                ),
            ]
        )


def _reusable(output: Any) -> Any:
    """The cache of `output`, if it is one that has all tokens but the last, which the model has not read yet."""
    cache = output.past_key_values
    size = getattr(cache, "get_seq_length", None)
    return cache if size and size() == output.sequences.shape[1] - 1 else None


_SendPartial = Callable[[list[int]], None]


class _Watch(StoppingCriteria):  # type: ignore[misc]  # transformers exports it untyped
    """Ends generation at the format's end or when nobody waits any more; notes when the first token came.

    `send_partial` gets the tokens so far, now and then.
    """

    def __init__(
        self,
        tokenizer: Any,
        prompt_length: int,
        end: str,
        *,
        cancelled: threading.Event,
        send_partial: _SendPartial | None,
        clock: Clock,
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt_length = prompt_length
        self._end = end
        self._cancelled = cancelled
        self._send_partial = send_partial
        self._clock = clock
        self._throttle = Throttle(PARTIAL_TEXT_INTERVAL, clock)
        self.first_token_at: float | None = None
        self.ended = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        self.first_token_at = self.first_token_at or self._clock.monotonic()
        tokens = input_ids[0, self._prompt_length :]
        # One of several beams may end before the others: each has its end token for that.
        self.ended = len(input_ids) == 1 and self._end in self._tokenizer.decode(tokens)
        if self._send_partial and self._throttle.is_due():
            self._send_partial(tokens.tolist())
        return torch.tensor([self.ended or self._cancelled.is_set()] * len(input_ids))


def make_writer(
    checkpoint: Checkpoint,
    form: Format,
    *,
    max_input_tokens: int = MAX_INPUT_TOKENS,
    max_thought_tokens: int = MAX_THOUGHT_TOKENS,
) -> AnswerWriter:
    """Begins the answers of `checkpoint`. Raises SettingsError, one line, if its context is too small for any."""
    tokenizer: Any = checkpoint.tokenizer
    spelled = ByteTokens(tokenizer.convert_tokens_to_ids, tokenizer.unk_token_id)
    prompter = Prompter(
        checkpoint.card.name,
        form,
        Encoder(tokenizer),
        context=context_of(checkpoint.model),
        max_input_tokens=max_input_tokens,
    )
    return AnswerWriter(
        prompter,
        tokenizer,
        ends=end_tokens(checkpoint, form),
        form=form,
        decode=lambda tokens: tokenizer.decode(spelled.without_fragments(tokens)),
        max_thought_tokens=max_thought_tokens,
    )


def barred_first_tokens(tokenizer: Any, ends: Sequence[int], stage: WritingStage) -> list[int]:
    """The tokens that may not begin `stage`, so that no answer is empty."""
    silent = set(ends)
    if stage.number == 0 and not stage.thinking:
        blank = (tokenizer.encode(text, add_special_tokens=False) for text in (" ", "\n", "\n\n"))
        silent |= {ids[0] for ids in blank if len(ids) == 1}
    return sorted(silent)


def format_of(
    card: ModelCard,
    tokenizer: Any,
    clock: Clock,
    *,
    prompt_tokens: int = LEAST_PROMPT_FOR_EXAMPLES,
    training: bool = False,
) -> Format:
    """Return the prompt format of the model of `card`; the arguments are those of `ModelCard.prompt_format`.

    Raises SettingsError, one line, if its chat template can't be followed.
    """
    return card.prompt_format(lambda: _template(tokenizer, clock), prompt_tokens=prompt_tokens, training=training)


def _template(tokenizer: Any, clock: Clock) -> ChatTemplate | None:
    if not tokenizer.chat_template:
        return None
    controls = [str(token.content) for token in tokenizer.added_tokens_decoder.values()]
    return ChatTemplate(tokenizer.chat_template, tokenizer.special_tokens_map, controls=controls, clock=clock)


def context_of(model: Any) -> int:
    """How many tokens `model` can look back at."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 2048))


def end_tokens(checkpoint: Checkpoint, form: Format) -> list[int]:
    """The tokens that end an answer: the model's own, and the format's where it is one token."""
    tokenizer: Any = checkpoint.tokenizer
    own: Any = checkpoint.model.generation_config.eos_token_id
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None}
    end = tokenizer.encode(form.end, add_special_tokens=False)
    return sorted(ends | set(end if len(end) == 1 else []))
