"""One way to try again: growing pauses with jitter, on the clock and with the chance that it was given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from events.runtime.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause after a failed attempt: `first`, then doubling up to `most`, each shortened by up to half."""

    first: timedelta = timedelta(seconds=0.5)
    most: timedelta = timedelta(seconds=30)

    def pause(self, failures: int, random: Random) -> timedelta:
        """After so many failures in a row, from 1."""
        full = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return full * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Retrying:
    """Tries again whatever fails in a passing way."""

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
        """Return what `ask` gives, asked again while its error is `passing`; then raise that error.

        At most `attempts` times, and not after `patience`. `failed` hears of each error and of the pause after it.
        """
        end = None if patience is None else self.clock.monotonic() + patience.total_seconds()
        pauses = self.pauses(backoff)
        while True:
            try:
                return await ask()
            except Exception as error:
                over = pauses.failures + 1 == attempts or (end is not None and self.clock.monotonic() >= end)
                if over or not passing(error):
                    raise
                pause = pauses.next(error)
                failed(error, pause)
            await self.clock.sleep(pause)

    def pauses(self, backoff: Backoff = Backoff()) -> "Pauses":
        """For a loop that is no call."""
        return Pauses(backoff, self.random)


class Pauses:
    """Counts failures in a row."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random
        self.failures = 0

    def next(self, error: Exception | None = None) -> timedelta:
        """Return the pause after one more failure; an error that names its own `wait` (a timedelta) gets that."""
        self.failures += 1
        wait = getattr(error, "wait", None)
        return wait if isinstance(wait, timedelta) else self._backoff.pause(self.failures, self._random)

    def reset(self) -> None:
        """It has worked."""
        self.failures = 0
