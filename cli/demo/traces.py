"""Show the trace of each answer as a waterfall, read from the file that the demo's processes share."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from rich.console import RenderableType

from cli.trace import waterfall
from events.runtime.clock import Clock
from observability import names
from observability.trace_reader import Trace, read

POLL = timedelta(milliseconds=200)
"""Between two reads of the file."""
LAST_SPANS_WAIT = timedelta(milliseconds=500)
"""How long to wait, after an answer's delivery, for the other process to write its spans."""
TRACE_TIMEOUT = timedelta(seconds=5)
"""How long to wait for a question's trace: a refused question has none."""


class Traces:
    """Shows new traces in the file; `show` prints a waterfall elsewhere than on stdout, which is for the chat."""

    def __init__(self, path: Path, clock: Clock, show: Callable[[RenderableType], None]) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._clock = clock
        self._shown = {trace.trace_id for trace in read(path).traces}
        self._show = show

    async def follow(self) -> None:
        """Show the trace of every answer, until cancelled."""
        while True:
            await self.show_new()
            await self._clock.sleep(POLL)

    async def wait_for_new(self) -> None:
        """Wait for the trace of the last answer, and show it."""
        deadline = self._clock.monotonic() + TRACE_TIMEOUT.total_seconds()
        while not await self.show_new() and self._clock.monotonic() < deadline:
            await self._clock.sleep(POLL)

    async def show_new(self) -> bool:
        """Show new traces; return whether there were any."""
        if not any(self._answered()):
            return False
        await self._clock.sleep(LAST_SPANS_WAIT)
        for trace in list(self._answered()):
            self._shown.add(trace.trace_id)
            self._show(waterfall(trace))
        return True

    def _answered(self) -> Iterator[Trace]:
        for trace in read(self._path).traces:
            if trace.trace_id not in self._shown and any(span.name == names.DELIVER_ANSWER for span in trace.spans):
                yield trace
