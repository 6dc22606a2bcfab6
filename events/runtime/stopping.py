"""What a process does before it is ready, and can leave at any moment."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from events.runtime.tasks import cancel

T = TypeVar("T")


async def unless_stopped(work: Awaitable[T], stop: asyncio.Event) -> T | None:
    """Return what `work` gives, or None if `stop` is set first; by then `work` was cancelled and has ended."""
    task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        ended = task.done()
    finally:
        await cancel(stopping, None if task.done() else task)
    return task.result() if ended else None
