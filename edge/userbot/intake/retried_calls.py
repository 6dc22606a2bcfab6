"""Make calls one at a time, with growing pauses after failures."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from edge.userbot.driving.messenger import MessengerError
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel, within

PAUSES = Backoff(first=timedelta(seconds=1), most=timedelta(seconds=15))
SLOW = timedelta(seconds=2)
"""A call that takes longer counts as stalled while it goes on."""
LONGEST = timedelta(minutes=5)
"""Limit for one that makes many calls of Telegram's API, such as reading all chats back."""

Found = TypeVar("Found")


class RetriedCalls(Generic[Found]):
    """Pass each call's task to `ended` when it is done. The next one is due once the owner has called `taken`.

    The owner sets `stalled` while calls fail or take long.
    """

    def __init__(self, retrying: Retrying, ended: Callable[[asyncio.Task[Found]], None]) -> None:
        self._clock = retrying.clock
        self._pauses = retrying.pauses(PAUSES)
        self._ended = ended
        self._task: asyncio.Task[Found] | None = None
        self._at = 0.0
        self.stalled = False

    @property
    def idle(self) -> bool:
        """Return whether no call is under way and no result waits to be taken."""
        return self._task is None

    @property
    def failures(self) -> int:
        """Return the number of failures in a row."""
        return self._pauses.failures

    @property
    def due(self) -> float:
        """Return the monotonic time at which to make the next call, or to call the one under way slow."""
        if self._task is None:
            return self._at
        return float("inf") if self.stalled or self._task.done() else self._at + SLOW.total_seconds()

    def at_once(self) -> None:
        """Make the next call due now."""
        self._at = self._clock.monotonic()

    def postpone(self, error: Exception | None = None) -> timedelta:
        """Return the pause before the next call after one that failed, longer each time."""
        pause = self._pauses.next(error)
        self._at = self._clock.monotonic() + pause.total_seconds()
        return pause

    def progressed(self) -> None:
        """Start again with the shortest pause: a call has succeeded."""
        self._pauses.reset()
        self.stalled = False

    def make(self, call: Awaitable[Found]) -> None:
        self.at_once()
        self._task = asyncio.ensure_future(_limited(call))
        self._task.add_done_callback(self._done)

    def taken(self) -> None:
        """Note that the owner has the result of the last call."""
        self._task = None

    async def stop(self) -> None:
        await cancel(self._task)

    def _done(self, task: asyncio.Task[Found]) -> None:
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio logs an error if we are stopped before it is taken
        self._ended(task)


async def _limited(call: Awaitable[Found]) -> Found:
    try:
        return await within(LONGEST, call)
    except TimeoutError:
        raise MessengerError(f"no answer within {LONGEST.total_seconds():.0f} s; trying again") from None
