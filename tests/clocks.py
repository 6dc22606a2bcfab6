"""A clock that a test moves."""

import asyncio
from datetime import UTC, datetime, timedelta


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
