"""What one model makes of the held-out dialogues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from events.errors import TimokhaError
from events.runtime.clock import Clock
from events.schema import Sampling
from functions.generate.engines.checkpoints import Checkpoint, fastest_dtype
from training.answering import answers, is_long
from training.duplicates import plain
from training.examples import Example, read
from training.scoring import Scorer, Surprise, ranks, surprises
from training.splits import Part


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What models are measured on."""

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
    """What was found about one model."""

    surprises: Sequence[Surprise]
    """By each true answer."""
    places: Sequence[int]
    """Of the samples' true answers among ten, from 1; none where there are not ten."""
    answers: Sequence[str]
    """Its own, to the samples."""
    recited: Sequence[bool]
    """Whether it gave a training answer word for word, for each of `HeldOut.learned`."""


def hold_out(data: Path, *, dialogues: int, samples: int, seed: int) -> HeldOut:
    """Raises TimokhaError, one line, if nothing is held out."""
    test, train = read(data, Part.TEST), read(data, Part.TRAIN)
    if not test:
        raise TimokhaError(f"{data} has no dialogues to test on: prepare it with a larger TRAINING_TEST_SHARE")
    draw = Random(seed)  # noqa: S311 -- a choice that can be repeated, no secret
    examples = draw.sample(test, min(dialogues, len(test)))
    long = [example for example in train if is_long(example.answer)]
    return HeldOut(
        examples=examples,
        samples=draw.sample(examples, min(samples, len(examples))),
        learned=draw.sample(long, min(samples, len(long))),
        learned_answers=[example.answer for example in train],
        candidates=[example.answer for example in test],
    )


def measure(
    checkpoint: Checkpoint, held_out: HeldOut, *, seed: int, clock: Clock, tick: Callable[[str], None]
) -> Measured:
    """`tick` is told what begins; it may raise to end the work."""
    checkpoint.model.to(dtype=fastest_dtype())
    scorer = Scorer(checkpoint, clock=clock)
    tick("bits per byte")
    found = surprises(scorer, held_out.examples)
    tick("recall")
    places = ranks(scorer, held_out.samples, held_out.candidates, seed)
    tick("answers")
    said = answers(checkpoint, held_out.samples, Sampling(seed=seed), clock=clock)
    tick("memory")
    recited = answers(checkpoint, held_out.learned, Sampling(temperature=0), clock=clock)
    same = [plain(text) == plain(example.answer) for text, example in zip(recited, held_out.learned, strict=True)]
    return Measured(found, places, said, same)
