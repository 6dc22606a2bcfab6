"""Make calls one at a time, and back off after failures."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from edge.userbot.driving.messenger import MessengerError
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel, within

PAUSES = Backoff(first=timedelta(seconds=1), most=timedelta(seconds=15))
SLOW = timedelta(seconds=2)
"""A call that takes longer counts as slow."""
LONGEST = timedelta(minutes=5)
"""Limit of a call. It may make many calls of Telegram's API, e.g. to read recent messages of all chats."""

Result = TypeVar("Result")


class RetriedCalls(Generic[Result]):
    """Pass the task of each call to `on_done` when it is done. The owner calls `drop_result` before the next call.

    The owner sets `stalled` while calls fail or take long.
    """

    def __init__(self, retrying: Retrying, on_done: Callable[[asyncio.Task[Result]], None]) -> None:
        self._clock = retrying.clock
        self._pauses = retrying.pauses(PAUSES)
        self._on_done = on_done
        self._task: asyncio.Task[Result] | None = None
        self._due_at = 0.0
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
        """Return the monotonic time at which to start the next call, or at which the one under way counts as slow."""
        if self._task is None:
            return self._due_at
        return float("inf") if self.stalled or self._task.done() else self._due_at + SLOW.total_seconds()

    def make_due(self) -> None:
        """Make the next call due now."""
        self._due_at = self._clock.monotonic()

    def postpone(self, error: Exception | None = None) -> timedelta:
        """Postpone the next call after one that has failed, longer each time. Return the pause."""
        pause = self._pauses.next(error)
        self._due_at = self._clock.monotonic() + pause.total_seconds()
        return pause

    def note_progress(self) -> None:
        """Reset the pauses: a call has made progress."""
        self._pauses.reset()
        self.stalled = False

    def start(self, call: Awaitable[Result]) -> None:
        self.make_due()
        self._task = asyncio.ensure_future(_limited(call))
        self._task.add_done_callback(self._done)

    def drop_result(self) -> None:
        """Note that the owner has the result of the last call."""
        self._task = None

    async def stop(self) -> None:
        await cancel(self._task)

    def _done(self, task: asyncio.Task[Result]) -> None:
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio logs an error if we are stopped before it is taken
        self._on_done(task)


async def _limited(call: Awaitable[Result]) -> Result:
    try:
        return await within(LONGEST, call)
    except TimeoutError:
        raise MessengerError(f"no answer within {LONGEST.total_seconds():.0f} s; trying again") from None
