"""Time as a process is given it, so that a test or a simulation can give another."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the time of day, in UTC; somebody may set it back."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment; they never go back."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return when `duration` has passed; not above 0: after the other tasks have had a turn."""
        ...


class SystemClock:
    """Implements `Clock` with this machine's time. Only composition roots make one."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(duration.total_seconds(), 0.0))
