"""How fast a series grows, whatever single samples do: the slope of Theil and Sen.

https://en.wikipedia.org/wiki/Theil%E2%80%93Sen_estimator: the median of the slopes between any two samples. Up to
29 % of the samples may be arbitrarily wrong.
"""

import itertools
import statistics
from collections.abc import Sequence

HOUR = 3600.0

Samples = Sequence[tuple[float, float]]
"""Seconds and values."""


def slope(samples: Samples) -> float:
    """Return the growth an hour; 0 of fewer than two samples."""
    steps = [
        (value - earlier) / (at - before)
        for (before, earlier), (at, value) in itertools.combinations(samples, 2)
        if at != before
    ]
    return statistics.median(steps) * HOUR if steps else 0.0


def level(samples: Samples) -> float:
    """Return the value in the middle."""
    return statistics.median(value for _, value in samples)


def thirds(samples: Samples) -> list[float]:
    """Return the levels of the first, the second and the last third."""
    size = max(1, len(samples) // 3)
    return [level(samples[:size]), level(samples[size:-size] or samples), level(samples[-size:])]


def later_half(samples: Samples) -> Samples:
    """Return the samples of the second half of the time."""
    middle = (samples[0][0] + samples[-1][0]) / 2
    return [(at, value) for at, value in samples if at >= middle]
