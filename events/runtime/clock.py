"""The clock that a process is given, so that a test or a simulation can pass another one."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the time of day, in UTC; it may go back when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never less than before."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration`; if that is 0 or less, after the other tasks have had a turn."""
        ...


class SystemClock:
    """Implements `Clock` with this machine's time. Only composition roots make one."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(duration.total_seconds(), 0.0))
