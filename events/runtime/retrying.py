"""Retry with growing pauses and jitter, on a given clock with a given source of randomness."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from events.runtime.clock import Clock

T = TypeVar("T")

LONGEST = 1 / 3
"""The most of its patience that a call loses by one attempt and its pause: it may be the process that stood still."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause after a failed attempt: `first`, then doubling up to `most`, each shortened by up to half."""

    first: timedelta = timedelta(seconds=0.5)
    most: timedelta = timedelta(seconds=30)

    def pause(self, failures: int, random: Random) -> timedelta:
        """Return the pause after `failures` failures in a row (1 or more)."""
        full = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return full * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Retrying:
    """Retry calls that fail with a passing error."""

    clock: Clock
    random: Random

    async def __call__(
        self,
        ask: Callable[[], Awaitable[T]],
        *,
        passing: Callable[[Exception], bool],
        backoff: Backoff = Backoff(),
        attempts: int | None = None,
        patience: timedelta | None = None,
        failed: Callable[[Exception, timedelta], None] = lambda error, pause: None,
    ) -> T:
        """Return what `ask` returns, retrying while its error is `passing`; raise the last error.

        Give up after `attempts` attempts or `patience`. `failed` is called with each error and the pause after it.
        """
        pauses, left = self.pauses(backoff), _Patience(self.clock, patience)
        while True:
            try:
                return await ask()
            except Exception as error:
                if pauses.failures + 1 == attempts or left.is_over() or not passing(error):
                    raise
                pause = pauses.next(error)
                failed(error, pause)
            await self.clock.sleep(pause)

    def pauses(self, backoff: Backoff = Backoff()) -> "Pauses":
        """Return the pauses for a loop that does its own retries."""
        return Pauses(backoff, self.random)


class _Patience:
    """What is left of a call's patience, without the time for which its process was stopped, e.g. with a laptop."""

    def __init__(self, clock: Clock, patience: timedelta | None) -> None:
        self._clock = clock
        self._left = math.inf if patience is None else patience.total_seconds()
        self._longest = self._left * LONGEST
        self._since = clock.monotonic()

    def is_over(self) -> bool:
        """Count what has passed since the last attempt failed."""
        now = self._clock.monotonic()
        self._left -= min(now - self._since, self._longest)
        self._since = now
        return self._left <= 0


class Pauses:
    """Count failures in a row and return the pause after each."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random
        self.failures = 0

    def next(self, error: Exception | None = None) -> timedelta:
        """Count a failure and return the pause after it: the error's `wait`, if it has one, else the backoff."""
        self.failures += 1
        wait = getattr(error, "wait", None)
        return wait if isinstance(wait, timedelta) else self._backoff.pause(self.failures, self._random)

    def reset(self) -> None:
        """Start over after a success."""
        self.failures = 0
