"""How sure a score is: the 95 % interval of what was measured on a sample."""

import math
from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float]

Z = 1.96
"""Standard deviations on either side of the mean that hold 95 % (z-score)."""
_DRAWS = 1000
_FEWEST = 10
"""Dialogues: fewer, drawn again, say little about those that were not drawn."""


def of_share(hits: int, of: int) -> Interval:
    """Wilson's interval: 0 of 5 is "below 0.43", not "0"."""
    share, weight = hits / of, Z**2 / of
    middle = share + weight / 2
    width = Z * math.sqrt(share * (1 - share) / of + weight / of / 4)
    return max(0.0, (middle - width) / (1 + weight)), min(1.0, (middle + width) / (1 + weight))


def of_ratio(above: Sequence[float], below: Sequence[float], seed: int) -> Interval | None:
    """Of the sum of `above` over that of `below`, one pair a dialogue, by drawing the dialogues again (bootstrap).

    None for fewer than ten.
    """
    if len(above) < _FEWEST:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(above), (_DRAWS, len(above)))
    ratios = np.asarray(above)[drawn].sum(1) / np.asarray(below)[drawn].sum(1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
