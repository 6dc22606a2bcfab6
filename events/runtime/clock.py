"""The clock of a process, passed in so that tests and simulations can pass another one."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time and sleep."""

    def now(self) -> datetime:
        """Return the time in UTC; it may go back when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never less than before."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Sleep for `duration`; if that is 0 or less, only let other tasks run."""
        ...


class SystemClock:
    """Implements `Clock` with this machine's time. Only composition roots create one."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(duration.total_seconds(), 0.0))
