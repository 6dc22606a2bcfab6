"""Clocks that a test moves."""

import asyncio
from datetime import UTC, datetime, timedelta

from events.runtime.clock import SystemClock


class ManualClock:
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration.total_seconds())
        await asyncio.sleep(0)


class SteppedClock(SystemClock):
    """This machine's clock, but for the time of day, which is `ahead` and may be set."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead
