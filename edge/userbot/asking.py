"""One call after the other: when the next one is due, and whether they come to nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from edge.userbot.messenger import MessengerError
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel, within

PAUSES = Backoff(first=timedelta(seconds=1), most=timedelta(seconds=15))
SLOW = timedelta(seconds=2)
"""A call that takes longer counts as stalled while it goes on."""
LONGEST = timedelta(minutes=5)
"""For a call of many, such as reading all chats back."""

Found = TypeVar("Found")


class Asking(Generic[Found]):
    """`ended` gets each call's task when that is done. `stalled`: nothing comes of it at the moment."""

    def __init__(self, retrying: Retrying, ended: Callable[[asyncio.Task[Found]], None]) -> None:
        self._clock = retrying.clock
        self._pauses = retrying.pauses(PAUSES)
        self._ended = ended
        self._task: asyncio.Task[Found] | None = None
        self._at = 0.0
        self.stalled = False

    @property
    def idle(self) -> bool:
        """No call is under way."""
        return self._task is None

    @property
    def failures(self) -> int:
        """In a row, without anything that has come of it between them."""
        return self._pauses.failures

    @property
    def due(self) -> float:
        """Return the monotonic time at which to make the next call, or to call the one under way slow."""
        if self._task is None:
            return self._at
        return float("inf") if self.stalled else self._at + SLOW.total_seconds()

    def at_once(self) -> None:
        """The next call is due."""
        self._at = self._clock.monotonic()

    def postpone(self, error: Exception | None = None) -> timedelta:
        """Nothing has come of the last call: return the pause before the next one, longer each time."""
        pause = self._pauses.next(error)
        self._at = self._clock.monotonic() + pause.total_seconds()
        return pause

    def progressed(self) -> None:
        """Something has come of it."""
        self._pauses.reset()
        self.stalled = False

    def make(self, call: Awaitable[Found]) -> None:
        self.at_once()
        self._task = asyncio.ensure_future(_limited(call))
        self._task.add_done_callback(self._done)

    async def stop(self) -> None:
        await cancel(self._task)

    def _done(self, task: asyncio.Task[Found]) -> None:
        self._task = None
        self._ended(task)


async def _limited(call: Awaitable[Found]) -> Found:
    try:
        return await within(LONGEST, call)
    except TimeoutError:
        raise MessengerError(f"no answer within {LONGEST.total_seconds():.0f} s; trying again") from None
