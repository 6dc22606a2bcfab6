"""Cancel, time-limit and combine tasks so that they surely end.

Until Python 3.12 `asyncio.wait_for`, which nats-py and pyrogram use, drops a cancellation that arrives in the tick in
which its future is done (https://github.com/python/cpython/issues/86296), so a task that is cancelled once may go on
for ever. `asyncio.timeout` and `asyncio.TaskGroup` cancel once: use `within` and `together` around such libraries.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from events.errors import TimokhaError

T = TypeVar("T")

AGAIN = 0.25
"""Seconds until a task that has not ended is cancelled once more."""


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel `tasks` and return when all have ended. What they raised is dropped.

    A cleanup that takes longer than `AGAIN` belongs into `finish`: here it would be cut short.
    """
    interrupted = False
    cancelled = [task for task in tasks if task]
    pending = {task for task in cancelled if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=AGAIN)
        except asyncio.CancelledError:
            interrupted = True
            pending = {task for task in pending if not task.done()}
    for task in cancelled:
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain of it
    if interrupted:
        raise asyncio.CancelledError


async def within(limit: timedelta, work: Awaitable[T]) -> T:
    """Return what `work` gives; when this returns or raises, `work` has ended.

    Raises TimeoutError when `limit` has passed, ConnectionAbortedError if `work` was cancelled by its own library (as
    aio-pika does to what waits for a broken connection): in the caller it would pass for a cancellation of ours.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=max(limit.total_seconds(), 0.0))
    except asyncio.CancelledError:
        await cancel(task)
        raise
    if not task.done():
        await cancel(task)
        raise TimeoutError
    if task.cancelled():
        raise ConnectionAbortedError("the client has cancelled it")
    return task.result()


async def finish(limit: timedelta, work: Coroutine[Any, Any, Any]) -> None:
    """Run a cleanup to its end, for at most `limit`, even if the caller is cancelled. Its errors are dropped."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    end = loop.time() + limit.total_seconds()
    interrupted = False
    while not task.done() and (left := end - loop.time()) > 0:
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError:
            interrupted = True
    with suppress(asyncio.CancelledError):
        await cancel(task)
    if interrupted:
        raise asyncio.CancelledError


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run all of `work`; return when all have ended. The first error ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    running = set(tasks)
    try:
        # Not until the first exception: to asyncio a task that a library has cancelled has none.
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _ended_by_itself(task)
    finally:
        await cancel(*tasks)


async def for_each(items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, None]], *, at_once: int) -> None:
    """Run `work` for each of `items`, for `at_once` of them at a time. The first error ends all and is raised."""
    left = iter(items)

    async def take() -> None:
        for item in left:
            await work(item)

    await together(*(take() for _ in range(at_once)))


async def beside(work: Coroutine[Any, Any, None], *helpers: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, and `helpers` for as long. The first error ends all of them and is raised as it is."""
    working, helping = asyncio.ensure_future(work), {asyncio.ensure_future(helper) for helper in helpers}
    running = {working, *helping}
    try:
        while not working.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _ended_by_itself(task)
    finally:
        await cancel(working, *helping)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` gives, or None if `stop` was set before: then it is cancelled, and has ended."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return None
        _ended_by_itself(working)
        return working.result()
    finally:
        await cancel(working, stopping)


def _ended_by_itself(task: asyncio.Task[Any]) -> None:
    """Raise what has ended `task`. A cancellation that is none of ours must not pass for one."""
    if task.cancelled():
        raise TimokhaError("a part of this process was cancelled by a library that it uses; start it again")
    task.result()
