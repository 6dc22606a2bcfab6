"""An engine's way to tell what its thread or process has written so far, while that goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from events.runtime.clock import Clock
from events.runtime.tasks import cancel
from functions.generate.decoding.answers import partial_answer
from functions.generate.engine import OnProgress


@dataclass(slots=True)
class Throttle:
    """`interval` in seconds; the first time is due at once."""

    interval: float
    clock: Clock
    told_at: float = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time to tell again, which then counts as told."""
        now = self.clock.monotonic()
        if now - self.told_at < self.interval:
            return False
        self.told_at = now
        return True


PARTIAL_TEXT_INTERVAL = 0.05
"""Seconds between two times that a request's text is told: an edge shows less, but first words should not wait."""

Written = TypeVar("Written")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def partial_text_sender(
    on_progress: OnProgress | None, read: Callable[[Written], str]
) -> AsyncIterator[Callable[[Written], None] | None]:
    """Inside, what is put into the yielded call, from any thread, is `read` and told; nothing for nobody."""
    if on_progress is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    written: asyncio.Queue[Written] = asyncio.Queue()

    async def tell() -> None:
        while True:
            await on_progress(partial_answer(read(await written.get())))

    task = asyncio.create_task(tell())
    try:
        yield lambda news: _put(loop, written, news)
    finally:
        await cancel(task)
        if not task.cancelled():
            # The answer is none the worse for it.
            log.warning("progress.not_told", error=type(task.exception()).__name__)


def with_earlier_tokens(
    earlier: Sequence[int], told: Callable[[list[int]], None] | None
) -> Callable[[list[int]], None] | None:
    """Tells an answer's `earlier` tokens with those of a later stage."""
    begun = list(earlier)
    return (lambda tokens: told(begun + tokens)) if told else None


def _put(loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Written]", news: Written) -> None:
    try:
        loop.call_soon_threadsafe(queue.put_nowait, news)
    except RuntimeError:
        return  # the loop has ended
