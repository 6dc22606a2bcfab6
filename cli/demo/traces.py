"""Shows the waterfall of each answer, read from the file that the demo's processes share."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from rich.console import RenderableType

from cli.trace import waterfall
from events.runtime.clock import Clock
from observability import names
from observability.trace_reader import Trace, read

POLL = timedelta(milliseconds=200)
"""Between two looks into the file."""
SETTLE = timedelta(milliseconds=500)
"""After an answer's delivery until the other process has written its spans too."""
PATIENCE = timedelta(seconds=5)
"""How long the trace of a question is waited for: one that was refused has no answer to show."""


class Traces:
    """`show` prints a waterfall; stdout is for the chat."""

    def __init__(self, path: Path, clock: Clock, show: Callable[[RenderableType], None]) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._clock = clock
        self._shown = {trace.trace_id for trace in read(path).traces}
        self._show = show

    async def follow(self) -> None:
        """Show every answer's trace, until cancelled."""
        while True:
            await self.show()
            await self._clock.sleep(POLL)

    async def wait(self) -> None:
        """Show the trace of what was just answered."""
        deadline = self._clock.monotonic() + PATIENCE.total_seconds()
        while not await self.show() and self._clock.monotonic() < deadline:
            await self._clock.sleep(POLL)

    async def show(self) -> bool:
        """Whether there was something new."""
        if not any(self._answered()):
            return False
        await self._clock.sleep(SETTLE)
        for trace in list(self._answered()):
            self._shown.add(trace.trace_id)
            self._show(waterfall(trace))
        return True

    def _answered(self) -> Iterator[Trace]:
        for trace in read(self._path).traces:
            if trace.trace_id not in self._shown and any(span.name == names.DELIVER_ANSWER for span in trace.spans):
                yield trace
