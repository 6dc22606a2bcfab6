"""Run a process until it ends or a signal stops it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from events.runtime.signals import Signals
from events.runtime.tasks import cancel

T = TypeVar("T")

Main = Callable[[asyncio.Event], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)


def run(main: Main, signals: Signals, *, patience: timedelta) -> bool:
    """Run `main(stop)` on a new event loop; return whether it ended by itself. Raises what `main` raises.

    A signal sets `stop`. `main` then has `patience` to return, and is cancelled after that.
    Unlike `asyncio.run` this does not wait for threads; `Signals.exit` does, for a limited time.
    """
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(_until_stopped(main, signals, patience))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _until_stopped(main: Main, signals: Signals, patience: timedelta) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def request_stop() -> None:
        with suppress(RuntimeError):  # the loop is closed: the process is exiting already
            loop.call_soon_threadsafe(stop.set)

    def forced() -> None:
        log.error("process.forced", after=patience.total_seconds())

    signals.stop_with(request_stop, patience=patience.total_seconds(), forced=forced)
    work = asyncio.ensure_future(main(stop))
    try:
        return await _ended(work, stop, patience)
    finally:
        # Tasks that main has not awaited; asyncio.run would cancel them once and might wait for ever.
        await cancel(*(asyncio.all_tasks() - {asyncio.current_task()}))
        await loop.shutdown_asyncgens()


async def _ended(work: asyncio.Task[None], stop: asyncio.Event, patience: timedelta) -> bool:
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        await asyncio.wait({work}, timeout=patience.total_seconds())
    await cancel(work, stopping)
    if work.cancelled() and stop.is_set():
        return False
    work.result()
    return True
