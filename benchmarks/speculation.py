"""What GenAI's prompt look-up gains: `python -m benchmarks.speculation [QUESTIONS]`, so many of each kind of text.

A pipeline with it and one without answer the same dialogues (dialogues.py) in turns, one at a time, greedily, until the
answer's end; on the default model as it is served, with the engine's arithmetic. The one without has the engine's
companions (batch_invariance.py), so it writes what the engine writes; the other one has them too, and they guess as
well, as GenAI requires it. Look-up guesses that words of the prompt come again, so it is measured without a penalty for
repetitions and with the product's.
Prints JSON: tokens a second, ratios of the sums of seconds, and how many answers are the same tokens.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.dialogues import kinds
from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.engines.openvino import renumbering
from functions.generate.engines.openvino.batch_invariance import Companions, knows_aliases
from functions.generate.engines.openvino.library import genai, ov
from functions.generate.engines.openvino.model_spec import plugin_properties
from functions.generate.engines.prepared_models import prepare_for_openvino
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.tokens import FastTokenizer
from functions.generate.prompts.encoding import Encoder
from functions.generate.settings import GenerateSettings

NEW, WINDOW, QUESTIONS = 60, 8192, 8
MESSAGES = 9
"""Of a dialogue, at most; the last is the user's."""
GUESSED, NGRAM = 5, 3
"""Tokens guessed at a time, and those that are looked up: the values of GenAI's documentation."""
PENALTIES = {"greedy": 0.0, "greedy_with_penalty": 1.4}
ARITHMETIC = GenerateSettings.model_fields["arithmetic"].default
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Written:
    """`seconds` of the whole answer, `first` of its first token."""

    tokens: list[int]
    seconds: float
    first: float


class Guessing:
    """A pipeline in which each request guesses as `guesses` says."""

    def __init__(self, pipeline: Any, guesses: Mapping[str, int]) -> None:
        self._pipeline = pipeline
        self._guesses = guesses

    def add_request(self, number: int, prompt: Any, config: Any) -> Any:
        for name, value in self._guesses.items():
            setattr(config, name, value)
        return self._pipeline.add_request(number, prompt, config)


class Side:
    def __init__(self, directory: Path, *, looks_up: bool) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.max_num_batched_tokens = WINDOW
        scheduler.enable_prefix_caching = True
        properties = {**plugin_properties(ARITHMETIC), **({"prompt_lookup": True} if looks_up else {})}
        self._pipeline: Any = genai.ContinuousBatchingPipeline(str(directory), scheduler, "CPU", properties)
        self._guesses = {"num_assistant_tokens": GUESSED, "max_ngram_size": NGRAM} if looks_up else {}
        self._companions = Companions(Guessing(self._pipeline, self._guesses), aliases=knows_aliases(directory))

    def answer(self, prompt: Any, ends: set[int], penalty: float) -> Written:
        config = genai.GenerationConfig(
            max_new_tokens=NEW,
            min_new_tokens=1,
            stop_token_ids=ends,
            eos_token_id=min(ends),
            presence_penalty=penalty,
            **self._guesses,
        )
        tokens, first, began = list[int](), 0.0, time.perf_counter()
        handle = self._pipeline.add_request(next(_NUMBERS), ov.Tensor(prompt[None]), config)
        while handle.get_status() == genai.GenerationStatus.RUNNING:
            self._step()
            while handle.can_read():
                tokens += [token for output in handle.read().values() for token in output.generated_ids]
                first = first or time.perf_counter() - began
        return Written(tokens, time.perf_counter() - began, first)

    def close(self) -> None:
        """GenAI complains about requests that are left."""
        self._companions.leave()
        self._pipeline.step()

    def _step(self) -> None:
        self._companions.join(1)
        self._pipeline.step()


def measure(questions: int = QUESTIONS) -> dict[str, Any]:
    directory = prepare_for_openvino(GenerateSettings.read(), Console(stderr=True))
    prompts, ends = _prompts(directory, questions)
    sides = [Side(directory, looks_up=looks_up) for looks_up in (False, True)]
    for side in sides:
        side.answer(prompts[0], ends, 0.0)
    found: dict[str, Any] = {"questions": len(prompts)}
    for name, penalty in PENALTIES.items():
        turns = [[side.answer(prompt, ends, penalty) for side in sides] for prompt in prompts]
        found[name] = compared([plain for plain, _ in turns], [looked for _, looked in turns])
    for side in sides:
        side.close()
    return found


def compared(without: Sequence[Written], looked_up: Sequence[Written]) -> dict[str, Any]:
    """`ratio`: of whole answers; `ratio_after_the_first_token`: of what look-up can hasten."""
    whole, after = zip(_rates(without), _rates(looked_up), strict=True)
    return {
        "tokens_per_second": round(whole[0], 1),
        "tokens_per_second_with_lookup": round(whole[1], 1),
        "ratio": round(whole[1] / whole[0], 3),
        "ratio_after_the_first_token": round(after[1] / after[0], 3),
        "same": sum(one.tokens == other.tokens for one, other in zip(without, looked_up, strict=True)),
        "tokens": sum(len(one.tokens) for one in without),
    }


def _rates(written: Sequence[Written]) -> tuple[float, float]:
    """Tokens a second of whole answers, and after their first tokens."""
    tokens = sum(len(one.tokens) for one in written)
    seconds, first = sum(one.seconds for one in written), sum(one.first for one in written)
    return tokens / seconds, (tokens - len(written)) / (seconds - first)


def _prompts(directory: Path, questions: int) -> tuple[list[Any], set[int]]:
    """In the model's ids, and the ids that end an answer."""
    described, numbering = ServingInfo.read(directory), renumbering.read(directory)
    tokenizer = FastTokenizer(directory, described)
    form = described.card.prompt_format(partial(tokenizer.template, SystemClock()), prompt_tokens=WINDOW)
    encoder = Encoder(tokenizer)
    encoded = [encoder.encode(form.render(turns), add_bos=True).ids for turns in _asked(questions)]
    return [numbering.to_model_ids(ids) for ids in encoded], numbering.to_writable_ids(described.ends)


def _asked(questions: int) -> Iterator[list[Turn]]:
    for dialogues in kinds().values():
        for messages in dialogues[:questions]:
            last = min(len(messages), MESSAGES)
            said = messages[: last - (last % 2 == 0)]
            yield [
                Turn(role=Role.ASSISTANT if number % 2 else Role.USER, text=text) for number, text in enumerate(said)
            ]


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:])), indent=2))  # noqa: T201 -- for who runs it
