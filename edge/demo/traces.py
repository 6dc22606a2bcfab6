"""Shows the waterfall of each answer, read from the file that the demo's processes share."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from observability import names
from observability.trace.recorded import Trace, read
from observability.trace.waterfall import waterfall

POLL = 0.2
"""Seconds between two looks into the file."""
SETTLE = 0.5
"""Seconds after an answer's delivery until the other process has written its spans too."""
PATIENCE = timedelta(seconds=5)
"""How long the trace of a question is waited for: one that was refused has no answer to show."""


class Traces:
    """Waterfalls go to stderr: stdout is for the chat."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._shown = {trace.trace_id for trace in read(path)}
        self._console = Console(stderr=True)

    async def follow(self) -> None:
        """Show every answer's trace, until cancelled."""
        while True:
            await self.show()
            await asyncio.sleep(POLL)

    async def wait(self) -> None:
        """Show the trace of what was just answered."""
        deadline = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
        while not await self.show() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(POLL)

    async def show(self) -> bool:
        """Whether there was something new."""
        if not any(self._answered()):
            return False
        await asyncio.sleep(SETTLE)
        for trace in list(self._answered()):
            self._shown.add(trace.trace_id)
            self._console.print(waterfall(trace))
        return True

    def _answered(self) -> Iterator[Trace]:
        for trace in read(self._path):
            if trace.trace_id not in self._shown and any(span.name == names.DELIVER_ANSWER for span in trace.spans):
                yield trace
