"""Forward the partial text of an answer from an engine's thread or process to the event loop."""

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

_FIRST_TOKENS = 8
"""Tokens within which the first word is usually whole: only the beginning of the next one shows that it is."""


@dataclass(slots=True)
class Throttle:
    """Limits how often a partial text is sent: at once for each of the first tokens, then every `interval` seconds."""

    interval: float
    clock: Clock
    first: int = _FIRST_TOKENS
    """How many more times it is due at once."""
    last: float = float("-inf")
    """When it was last due."""

    def is_due(self) -> bool:
        """Return whether the text is due now; after the first times it is not due again for `interval`."""
        now = self.clock.monotonic()
        if not self.first and now - self.last < self.interval:
            return False
        self.first, self.last = max(0, self.first - 1), now
        return True


PARTIAL_TEXT_INTERVAL = 0.05
"""Seconds between two partial texts of a request: an edge shows fewer, but first words should not be delayed."""

Written = TypeVar("Written")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def partial_text_sender(
    on_progress: OnProgress | None, to_text: Callable[[Written], str]
) -> AsyncIterator[Callable[[Written], None] | None]:
    """Yield a thread-safe function that converts what is written with `to_text` and passes it to `on_progress`.

    Yield None if there is no `on_progress`.
    """
    if on_progress is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    written: asyncio.Queue[Written] = asyncio.Queue()

    async def forward() -> None:
        while True:
            await on_progress(partial_answer(to_text(await written.get())))

    task = asyncio.create_task(forward())
    try:
        yield lambda news: _put(loop, written, news)
    finally:
        await cancel(task)
        if not task.cancelled():
            # The answer itself is not affected.
            log.warning("progress.not_told", error=type(task.exception()).__name__)


def with_earlier_tokens(
    earlier: Sequence[int], send: Callable[[list[int]], None] | None
) -> Callable[[list[int]], None] | None:
    """Return a function that sends a later stage's tokens after the `earlier` ones, or None if `send` is None."""
    before = list(earlier)
    return (lambda tokens: send(before + tokens)) if send else None


def _put(loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Written]", news: Written) -> None:
    try:
        loop.call_soon_threadsafe(queue.put_nowait, news)
    except RuntimeError:
        return  # the loop has ended
