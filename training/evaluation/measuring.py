"""Measure one model on the held-out dialogues: the likelihood of the true answers, and its own answers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from events.errors import TimokhaError
from events.runtime.clock import Clock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.transformers.checkpoints import Checkpoint, fastest_dtype
from training.data.duplicates import normalize
from training.data.splits import MIN_DIALOGUES, Part
from training.evaluation.answering import is_long
from training.evaluation.batch_writer import BatchWriter
from training.evaluation.scoring import CANDIDATES, Scorer, Surprisal, example_surprisals, recall_ranks
from training.evaluation.shared_prefix import CountDone
from training.examples import Example, read_examples


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The data that models are measured on."""

    examples: Sequence[Example]
    """Of the test part."""
    samples: Sequence[Example]
    """Some of them."""
    learned: Sequence[Example]
    """Some of the training part, with long answers."""
    learned_answers: Sequence[str]
    """All of the training part."""
    candidates: Sequence[str]
    """The answers that recall chooses among: all of the test part."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of `measure`."""

    surprisals: Sequence[Surprisal]
    """Of each true answer."""
    places: Sequence[int]
    """Ranks of the samples' true answers among ten, from 1; empty if there are fewer than ten answers."""
    answers: Sequence[str]
    """The model's own answers to the samples."""
    recited: Sequence[bool]
    """Whether it gave a training answer word for word, for each of `HeldOut.learned`."""


StartStep = Callable[[str, float], CountDone]
"""Starts a step: takes its name and the weight of one item; returns what counts items. Both may raise to stop."""

_CANDIDATE, _ANSWER = 0.2, 3.0
"""The time of one, in units of reading a dialogue."""


def hold_out(data: Path, *, dialogues: int, samples: int, seed: int) -> HeldOut:
    """Choose the data to measure on. Raises TimokhaError, one line, if nothing is held out."""
    test, train = read_examples(data, Part.TEST), read_examples(data, Part.TRAIN)
    draw = Random(seed)  # noqa: S311 -- a choice that can be repeated, no secret
    examples = draw.sample(test, min(dialogues, len(test)))
    asked = questions(examples)
    if not asked:
        raise TimokhaError(
            f"{data} has no dialogues to test on: prepare it with a larger TRAINING_TEST_SHARE, or "
            f"from more chats if it has fewer than {MIN_DIALOGUES} dialogues; or name other prepared data with --data"
        )
    long = [example for example in questions(train) if is_long(example.answer)]
    return HeldOut(
        examples=examples,
        samples=draw.sample(asked, min(samples, len(asked))),
        learned=draw.sample(long, min(samples, len(long))),
        learned_answers=[example.answer for example in train],
        candidates=[example.answer for example in test],
    )


def questions(examples: Iterable[Example]) -> list[Example]:
    """Return each question in `examples` once, with the owner's first turn after it."""
    found: dict[tuple[Turn, ...], Example] = {}
    for example in examples:
        first = next((n for n, turn in enumerate(reversed(example.turns)) if turn.role is Role.USER), 0)
        size = len(example.turns) - first + 1
        if first:
            found.setdefault(example.turns[:size], Example(example.turns[:size], example.rows[:size]))
    return list(found.values())


def measuring_cost(held_out: HeldOut) -> float:
    """Return the time that `measure` takes, in units of reading a dialogue."""
    answers = len(held_out.samples) + len(held_out.learned)
    return len(held_out.examples) + _CANDIDATE * CANDIDATES * len(held_out.samples) + _ANSWER * answers


def measure(checkpoint: Checkpoint, held_out: HeldOut, *, seed: int, clock: Clock, doing: StartStep) -> Measured:
    """Measure one model; its weights are converted to the type that is fastest here."""
    checkpoint.model.to(dtype=fastest_dtype())
    scorer = Scorer(checkpoint, clock=clock)
    found = example_surprisals(scorer, held_out.examples, doing("bits per byte", 1))
    places = recall_ranks(scorer, held_out.samples, held_out.candidates, seed, doing("recall", _CANDIDATE))
    asked = [
        *((one.context, Sampling(seed=seed + number)) for number, one in enumerate(held_out.samples)),
        *((one.context, Sampling(temperature=0)) for one in held_out.learned),
    ]
    said = BatchWriter(checkpoint, clock=clock).answers(asked, doing("answers", _ANSWER))
    answers, recited = said[: len(held_out.samples)], said[len(held_out.samples) :]
    same = [
        normalize(text) == normalize(example.answer) for text, example in zip(recited, held_out.learned, strict=True)
    ]
    return Measured(found, places, answers, same)
