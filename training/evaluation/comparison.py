"""Compare the measurements before and after training: the scores of an evaluation and their 95 % intervals."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from training.evaluation.measurement import HeldOut, Measurements
from training.evaluation.result import Interval, Score
from training.evaluation.variety import count_verbatim, distinct_share, ngrams

_RECALL = (1, 5)
Z = 1.96
"""Z-score of a 95 % interval."""
_DRAWS = 1000
_FEWEST = 10
"""Dialogues: resampling fewer says little about other dialogues."""


def compare(before: Measurements, after: Measurements, held_out: HeldOut, *, seed: int) -> dict[str, Any]:
    """Return the fields of `Evaluation` that follow from the measurements; `seed` is for the bootstrap intervals."""
    return {
        "bits_per_byte": _bits_per_byte(before, after, seed),
        **{f"recall_at_{k}": _share(before.ranks, after.ranks, partial(_count_within, last=k)) for k in _RECALL},
        **_distinct(before, after, held_out),
        "length_ratio": _length_ratio(before, after, held_out, seed),
        "verbatim": _share(
            before.answers, after.answers, partial(count_verbatim, training_answers=held_out.training_answers)
        ),
        "memorised": _share(before.repeats_training, after.repeats_training, sum),
    }


def _count_within(ranks: Iterable[int], last: int) -> int:
    return sum(place <= last for place in ranks)


def _share(before: Sequence[Any], after: Sequence[Any], hits: Callable[[Sequence[Any]], int]) -> Score | None:
    if not before:
        return None
    old, new, of = hits(before), hits(after), len(before)
    return Score(
        before=old / of, after=new / of, before_range=share_interval(old, of), after_range=share_interval(new, of)
    )


def _bits_per_byte(before: Measurements, after: Measurements, seed: int) -> Score:
    old, new = ([one.bits for one in found.surprisals] for found in (before, after))
    return _ratio(old, new, [one.size for one in before.surprisals], seed)


def _length_ratio(before: Measurements, after: Measurements, held_out: HeldOut, seed: int) -> Score:
    """Return the length of all answers relative to the true ones."""
    true = [len(example.answer) for example in held_out.samples]
    return _ratio([len(text) for text in before.answers], [len(text) for text in after.answers], true, seed)


def _ratio(old: Sequence[float], new: Sequence[float], below: Sequence[float], seed: int) -> Score:
    change = [new - old for old, new in zip(old, new, strict=True)]
    return Score(
        before=sum(old) / sum(below),
        after=sum(new) / sum(below),
        before_range=ratio_interval(old, below, seed),
        after_range=ratio_interval(new, below, seed),
        change_range=ratio_interval(change, below, seed),
    )


def _distinct(before: Measurements, after: Measurements, held_out: HeldOut) -> dict[str, Any]:
    """Compare the shares of different words and word pairs at the length of the shortest of the three sets."""
    fields: dict[str, Any] = {}
    for size in (1, 2):
        texts = before.answers, after.answers, [example.answer for example in held_out.samples]
        bodies = [ngrams(body, size) for body in texts]
        old, new, true = (distinct_share(body, min(body.total() for body in bodies)) for body in bodies)
        fields |= {f"distinct_{size}": Score(before=old, after=new), f"true_distinct_{size}": true}
    return fields


def share_interval(hits: int, of: int) -> Interval:
    """Return Wilson's interval of a share: for 0 of 5 it is "below 0.43", not "0"."""
    share, weight = hits / of, Z**2 / of
    middle = share + weight / 2
    width = Z * math.sqrt(share * (1 - share) / of + weight / of / 4)
    return max(0.0, (middle - width) / (1 + weight)), min(1.0, (middle + width) / (1 + weight))


def ratio_interval(above: Sequence[float], below: Sequence[float], seed: int) -> Interval | None:
    """Return the bootstrap interval of the sum of `above` divided by that of `below`, one pair per dialogue.

    None for fewer than ten dialogues.
    """
    if len(above) < _FEWEST:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(above), (_DRAWS, len(above)))
    ratios = np.asarray(above)[drawn].sum(1) / np.asarray(below)[drawn].sum(1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
