"""Measure how close the style of a model's answers is to the owner's, compared with other people's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from training.data.splits import Part
from training.evaluation.comparison import Z
from training.evaluation.result import Distances, Score, Style
from training.evaluation.style import (
    CountedTexts,
    Matrix,
    SpokenTurns,
    StyleFeature,
    normalize_for_style,
    spoken_turns,
    style_features,
)
from training.examples import read_examples

_REPEATS = 100
_SURE = 0.95
"""A score is given only if the owner's text is nearer than others' in at least this share of draws."""
_SHORTEST = 100
"""Letters."""
_STEP = 1.5


@dataclass(frozen=True, slots=True)
class ComparedTexts:
    """The texts whose distances to the owner's held-out text are compared, in draws of one length."""

    features: dict[str, StyleFeature]
    owner: CountedTexts
    others: CountedTexts
    answers: Sequence[CountedTexts]
    """Before and after training."""

    @property
    def longest(self) -> int:
        """Return the letters of the longest draw; as much held-out text must remain for comparison."""
        return min(self.owner.letters, self.others.letters) // 2


@dataclass(frozen=True, slots=True)
class DrawnDistances:
    """A distance for each draw, by letters and by words."""

    owner: Matrix
    others: Matrix
    answers: Sequence[Matrix]

    @property
    def told_apart(self) -> float:
        """Return how often the owner's draw is nearer to the owner's other text than other people's draw is."""
        ours, theirs = self.owner.mean(1), self.others.mean(1)
        return float((ours[:, None] < theirs[None, :]).mean())


def measure_style(data: Path, before: Sequence[str], after: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Return the fields of `Evaluation` about the style of answers, with the data in the directory `data`."""
    learned, held_out = (spoken_turns(read_examples(data, part, named=False), seed) for part in (Part.TRAIN, Part.TEST))
    score, style = score_likeness(learned, held_out, before, after, seed=seed)
    return {"likeness": score, "style": style}


def score_likeness(
    learned: SpokenTurns, held_out: SpokenTurns, before: Sequence[str], after: Sequence[str], *, seed: int
) -> tuple[Score | None, Style | None]:
    """Return the score, or None if the answers are too few, and the measurements behind it.

    (None, None) if there is no text to compare.
    """
    counted = style_features(learned)
    ours, theirs, *answers = (
        CountedTexts([text for text in map(normalize_for_style, texts) if text], counted.values())
        for texts in (held_out.owner, held_out.others, before, after)
    )
    candidates = ComparedTexts(counted, ours, theirs, answers)
    letters = min(candidates.longest, *(body.letters for body in answers))
    if not letters:
        return None, None
    drawn = _draws(candidates, letters, seed)
    needed = _letters_needed(candidates, seed)
    style = _style(candidates, drawn, letters, needed)
    return (_score(drawn) if needed and needed <= letters else None), style


def _draws(candidates: ComparedTexts, letters: int, seed: int) -> DrawnDistances:
    """Draw that many `letters` of each body; measure each draw's distance to the owner's turns that were not drawn.

    Deviations are from the other people's turns that were not drawn.
    """
    rng = np.random.default_rng(seed)
    bodies = (candidates.owner, candidates.others, *candidates.answers)
    (ours, reference), (theirs, centre), *answers = (body.cut(letters, _REPEATS, rng) for body in bodies)
    owner, others, *rest = (
        np.stack(
            [
                feature.distance(*counts)
                for feature, *counts in zip(candidates.features.values(), body, reference, centre, strict=True)
            ],
            axis=1,
        )
        for body in (ours, theirs, *(answer for answer, _ in answers))
    )
    return DrawnDistances(owner, others, rest)


def _letters_needed(candidates: ComparedTexts, seed: int) -> int | None:
    """Return how many letters tell the owner from others, or None if half of the held-out text does not suffice."""
    people = ComparedTexts(candidates.features, candidates.owner, candidates.others, ())
    tried = _lengths_to_try(candidates.longest)
    return next((size for size in tried if _draws(people, size, seed).told_apart >= _SURE), None)


def _lengths_to_try(longest: int) -> Iterator[int]:
    size = _SHORTEST
    while size < longest:
        yield size
        size = int(size * _STEP)
    yield longest


def _style(candidates: ComparedTexts, drawn: DrawnDistances, letters: int, needed: int | None) -> Style:
    each = min(body.letters / body.turns for body in candidates.answers)
    return Style(
        told_apart=drawn.told_apart,
        letters_compared=letters,
        answers_needed=needed and int(np.ceil(needed / each)),
        **{
            name: Distances(
                floor=median(drawn.others[:, place]),
                ceiling=median(drawn.owner[:, place]),
                before=median(drawn.answers[0][:, place]),
                after=median(drawn.answers[1][:, place]),
            )
            for place, name in enumerate(candidates.features)
        },
    )


def _score(drawn: DrawnDistances) -> Score:
    """Score the mean of the two distances. The ranges are as wide as draws of that length from people's text vary."""
    ours, theirs, before, after = (found.mean(1) for found in (drawn.owner, drawn.others, *drawn.answers))
    floor, ceiling = median(theirs), median(ours)
    gap = floor - ceiling
    old, new = ((floor - median(found)) / gap for found in (before, after))
    width = Z * float(np.sqrt((ours.var() + theirs.var()) / 2)) / gap
    change = new - old
    return Score(
        before=old,
        after=new,
        before_range=(old - width, old + width),
        after_range=(new - width, new + width),
        change_range=(change - width * np.sqrt(2), change + width * np.sqrt(2)),
    )
