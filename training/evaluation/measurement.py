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
from training.evaluation.batch_writer import BatchWriter
from training.evaluation.scoring import CANDIDATES, Scorer, Surprisal, example_surprisals, recall_ranks
from training.evaluation.shared_prefix import CountDone
from training.evaluation.variety import is_long_answer
from training.examples import Example, read_examples


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The data that models are measured on."""

    examples: Sequence[Example]
    """Drawn from the test part."""
    samples: Sequence[Example]
    """Drawn from `examples`, each question once."""
    training_samples: Sequence[Example]
    """Drawn from the training part, with long answers."""
    training_answers: Sequence[str]
    """All answers of the training part."""
    candidates: Sequence[str]
    """All answers of the test part, which recall chooses among."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """The results of `measure`."""

    surprisals: Sequence[Surprisal]
    """Of each true answer."""
    ranks: Sequence[int]
    """Rank of each sample's true answer among ten, from 1; empty if there are fewer than ten answers."""
    answers: Sequence[str]
    """The model's own answers to the samples."""
    repeats_training: Sequence[bool]
    """Whether it gave the training answer word for word, for each of `HeldOut.training_samples`."""


StartStep = Callable[[str, float], CountDone]
"""Starts a step: takes its name and the cost of an item, and returns a CountDone. Both may raise to stop."""

_CANDIDATE, _ANSWER = 0.2, 3.0
"""The time per item, in units of reading a dialogue."""


def hold_out(data: Path, *, dialogues: int, samples: int, seed: int) -> HeldOut:
    """Choose the data to measure on. Raises TimokhaError, one line, if no dialogues are held out."""
    test, train = read_examples(data, Part.TEST), read_examples(data, Part.TRAIN)
    draw = Random(seed)  # noqa: S311 -- a choice that can be repeated, no secret
    examples = draw.sample(test, min(dialogues, len(test)))
    asked = unique_questions(examples)
    if not asked:
        raise TimokhaError(
            f"{data} has no dialogues to test on: prepare it with a larger TRAINING_TEST_SHARE, or "
            f"from more chats if it has fewer than {MIN_DIALOGUES} dialogues; or name other prepared data with --data"
        )
    long = [example for example in unique_questions(train) if is_long_answer(example.answer)]
    return HeldOut(
        examples=examples,
        samples=draw.sample(asked, min(samples, len(asked))),
        training_samples=draw.sample(long, min(samples, len(long))),
        training_answers=[example.answer for example in train],
        candidates=[example.answer for example in test],
    )


def unique_questions(examples: Iterable[Example]) -> list[Example]:
    """Return each question in `examples` once, with the owner's first turn after it."""
    found: dict[tuple[Turn, ...], Example] = {}
    for example in examples:
        first = next((n for n, turn in enumerate(reversed(example.turns)) if turn.role is Role.USER), 0)
        size = len(example.turns) - first + 1
        if first:
            found.setdefault(example.turns[:size], Example(example.turns[:size], example.rows[:size]))
    return list(found.values())


def measuring_cost(held_out: HeldOut) -> float:
    """Return the time that `measure` will take, in units of reading a dialogue."""
    answers = len(held_out.samples) + len(held_out.training_samples)
    return len(held_out.examples) + _CANDIDATE * CANDIDATES * len(held_out.samples) + _ANSWER * answers


def measure(
    checkpoint: Checkpoint, held_out: HeldOut, *, seed: int, clock: Clock, start_step: StartStep
) -> Measurements:
    """Measure one model, after converting its weights to the type that is fastest here."""
    checkpoint.model.to(dtype=fastest_dtype())
    scorer = Scorer(checkpoint, clock=clock)
    found = example_surprisals(scorer, held_out.examples, start_step("bits per byte", 1))
    ranks = recall_ranks(scorer, held_out.samples, held_out.candidates, seed, start_step("recall", _CANDIDATE))
    asked = [
        *((one.context, Sampling(seed=seed + number)) for number, one in enumerate(held_out.samples)),
        *((one.context, Sampling(temperature=0)) for one in held_out.training_samples),
    ]
    written = BatchWriter(checkpoint, clock=clock).answers(asked, start_step("answers", _ANSWER))
    answers, recited = written[: len(held_out.samples)], written[len(held_out.samples) :]
    repeats_training = [
        normalize(text) == normalize(example.answer)
        for text, example in zip(recited, held_out.training_samples, strict=True)
    ]
    return Measurements(found, ranks, answers, repeats_training)
