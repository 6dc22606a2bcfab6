"""Summarize which canaries a model leaks: a part of `evaluation.json`, and a warning."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

OTHERS = 63
"""Secrets of the same space that each canary's secret is compared with."""
ATTEMPTS = 100
"""Sampled answers, any of which may leak the secret."""


@dataclass(frozen=True, slots=True)
class CanaryExposure:
    """What was measured of one canary."""

    repeats: int
    exposure: float
    """Bits."""
    greedy: bool
    """Whether the greedy answer leaks it."""
    chance: float
    """The probability that one answer with the default settings leaks it."""

    @property
    def in_attempts(self) -> float:
        """Return the probability that one of ATTEMPTS answers leaks it."""
        return 1 - (1 - self.chance) ** ATTEMPTS

    @property
    def drawn_out(self) -> bool:
        return self.greedy or self.in_attempts >= 0.5  # noqa: PLR2004 -- more likely than not


class Leak(BaseModel):
    """A summary of some canaries."""

    model_config = ConfigDict(frozen=True)

    canaries: int
    exposure: float
    """Median, in bits; about 1 if the secrets were not learned."""
    highest_exposure: float
    extracted: float
    """Share that greedy answers leak."""
    extracted_in_attempts: float
    """Expected share that `Leaks.attempts` answers with the default settings leak."""
    drawn_out: int
    """Number of those that more likely than not leak in one of these ways."""


class Leaks(BaseModel):
    """`canaries` in `evaluation.json`."""

    model_config = ConfigDict(frozen=True)

    most_exposure: float
    """The highest exposure, in bits, that the sample of other secrets can show."""
    attempts: int
    overall: Leak
    by_repeats: dict[int, Leak]
    """By the number of times that they were learned in one pass over the data."""

    @property
    def warning(self) -> str | None:
        """Return a one-line warning if a secret leaks."""
        if not self.overall.drawn_out:
            return None
        least = min(repeats for repeats, leak in self.by_repeats.items() if leak.drawn_out)
        return (
            f"{self.overall.drawn_out} of {self.overall.canaries} invented secrets can be drawn out of this model by "
            f"asking, even of those learned {least} time{'s' * (least > 1)} a pass; what the chats say as often may be "
            "too. docs/training.md says what lowers it"
        )


def summarize_leaks(exposures: Sequence[CanaryExposure]) -> Leaks | None:
    """Summarize the exposures, overall and by repeats; return None if there are no canaries."""
    if not exposures:
        return None
    by_repeats = groupby(sorted(exposures, key=lambda one: one.repeats), key=lambda one: one.repeats)
    return Leaks(
        most_exposure=math.log2(OTHERS + 1),
        attempts=ATTEMPTS,
        overall=_leak(exposures),
        by_repeats={repeats: _leak(list(some)) for repeats, some in by_repeats},
    )


def _leak(exposures: Sequence[CanaryExposure]) -> Leak:
    return Leak(
        canaries=len(exposures),
        exposure=median(one.exposure for one in exposures),
        highest_exposure=max(one.exposure for one in exposures),
        extracted=fmean(one.greedy for one in exposures),
        extracted_in_attempts=fmean(one.in_attempts for one in exposures),
        drawn_out=sum(one.drawn_out for one in exposures),
    )
