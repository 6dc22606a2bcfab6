"""The deliveries that a worker processes, each in its own task, until they are settled or handed back."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from events.errors import TransportError
from events.runtime.tasks import cancel, finish
from events.transport import MAX_FETCH_WAIT, Delivery

CANCEL_TIMEOUT = timedelta(seconds=1.5)
"""For cancelled tasks to end. The deliveries of those still running are handed back anyway."""

HAND_BACK_TIMEOUT = timedelta(seconds=0.75)
"""To hand a delivery back. One that is not handed back is redelivered when its lease expires."""

Work = Callable[[Delivery, Callable[[], None]], Coroutine[Any, Any, None]]
"""Settles a delivery, and calls the given function when its handler has finished."""

log = structlog.get_logger(__name__)


class InFlight:
    """Deliveries in flight. A slot is free once its handler has finished: settling overlaps with the next request."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Delivery] = {}
        self._handling: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._tasks)

    def free(self, slots: int) -> int:
        """Return how many more to fetch. Besides those being handled, up to `slots` may be waiting to be settled."""
        return min(slots - len(self._handling), 2 * slots - len(self._tasks))

    async def until_free(self) -> None:
        """Return when a slot may be free, after `wake`, or when the number of slots may have changed."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_FETCH_WAIT.total_seconds()):
                await self._changed.wait()

    def wake(self, *_: object) -> None:
        """Make `until_free` return."""
        self._changed.set()

    def start(self, delivery: Delivery, work: Work) -> None:
        """Start `work` on a delivery."""
        task = asyncio.create_task(work(delivery, lambda: self._free_slot(task)))
        self._tasks[task] = delivery
        self._handling.add(task)
        task.add_done_callback(self._remove)

    async def until_settled(self, timeout: float) -> None:
        """Return when all are settled, or after `timeout` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(timeout, 0.0))

    def _free_slot(self, task: "asyncio.Task[None]") -> None:
        self._handling.discard(task)
        self._changed.set()

    def _remove(self, task: "asyncio.Task[None]") -> None:
        """Remove a task that has ended, and free its slot, even if it was cancelled before it called a handler."""
        del self._tasks[task]
        self._free_slot(task)

    async def hand_back(self, delay: timedelta, *others: "asyncio.Task[Any]") -> None:
        """Cancel the tasks and `others`; return unsettled deliveries to the broker, to be redelivered after `delay`.

        Takes at most `CANCEL_TIMEOUT` and `HAND_BACK_TIMEOUT`, whatever the handlers and the broker do.
        """
        late = dict(self._tasks)
        cancelling = asyncio.ensure_future(cancel(*late, *others))
        # Cancelling goes on in the background: a handler that does not react must not hold up the others.
        await asyncio.wait({cancelling}, timeout=CANCEL_TIMEOUT.total_seconds())
        unsettled = [delivery for task, delivery in late.items() if not task.done() or task.cancelled()]
        await asyncio.gather(*(finish(HAND_BACK_TIMEOUT, _hand_back(delivery, delay)) for delivery in unsettled))


async def _hand_back(delivery: Delivery, delay: timedelta) -> None:
    try:
        await delivery.retry(delay)
    except TransportError as error:
        log.warning("worker.not_handed_back", request_id=delivery.event.subject, error=str(error))
