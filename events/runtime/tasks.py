"""Cancel, time-limit and combine tasks so that they are sure to end.

Until Python 3.12 `asyncio.wait_for`, which nats-py and pyrogram use, drops a cancellation that arrives in the tick in
which its future is done (https://github.com/python/cpython/issues/86296), so a task that is cancelled once may run
for ever. `asyncio.timeout` and `asyncio.TaskGroup` cancel once: use `within` and `run_all` around such libraries.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from events.errors import TimokhaError

T = TypeVar("T")

AGAIN = 0.25
"""Seconds until a task that has not ended is cancelled again."""


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel `tasks` and return when all have ended, dropping their errors.

    A cleanup that takes longer than `AGAIN` belongs in `finish`; here it would be interrupted.
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
            task.exception()  # retrieved, so that asyncio does not log it
    if interrupted:
        raise asyncio.CancelledError


async def within(limit: timedelta, work: Awaitable[T]) -> T:
    """Return the result of `work`, which has ended when this returns or raises.

    Raises TimeoutError after `limit`, and ConnectionAbortedError if a library has cancelled `work`, as aio-pika does
    while it waits for a broken connection: in the caller it would look like a cancellation of ours.
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
    """Run a cleanup for at most `limit`, even if the caller is cancelled, dropping its errors."""
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


async def run_all(*work: Coroutine[Any, Any, object]) -> None:
    """Run all of `work` concurrently until all have ended. The first error cancels the others and is raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    running = set(tasks)
    try:
        # Not FIRST_EXCEPTION: for asyncio a task that a library has cancelled has none.
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _ended_by_itself(task)
    finally:
        await cancel(*tasks)


async def for_each(items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, None]], *, at_once: int) -> None:
    """Run `work` for each of `items`, `at_once` at a time. The first error cancels all and is raised."""
    left = iter(items)

    async def take() -> None:
        for item in left:
            await work(item)

    await run_all(*(take() for _ in range(at_once)))


async def run_with_helpers(work: Coroutine[Any, Any, None], *helpers: Coroutine[Any, Any, None]) -> None:
    """Run `helpers` for as long as `work` takes. The first error cancels all of them and is raised."""
    working, helping = asyncio.ensure_future(work), {asyncio.ensure_future(helper) for helper in helpers}
    running = {working, *helping}
    try:
        while not working.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _ended_by_itself(task)
    finally:
        await cancel(working, *helping)


async def until_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `work`, or None after cancelling it if `stop` is set first."""
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
    """Raise the error of `task`, and one for a cancellation by a library, which must not look like one of ours."""
    if task.cancelled():
        raise TimokhaError("a part of this process was cancelled by a library that it uses; start it again")
    task.result()
