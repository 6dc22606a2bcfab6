"""Start, stop and restart one of our processes as a supervisor does, and note every end."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cli.demo.processes import CommandProcess
from tests.promises.lines import FOR_EVER
from tests.promises.lines.processes import FORCED, Process

MARGIN = 5.0
"""Seconds that a process may take to end on top of its grace."""


@dataclass(frozen=True, slots=True)
class End:
    """`how`: killed and terminated by the storm, forced where SIGTERM did not do, or by itself; `lived` in seconds.

    `told_at`: when SIGTERM was sent, on the monotonic clock; it may take `within` seconds.
    """

    kind: str
    how: str
    code: int
    lived: float
    told_at: float | None = None
    ended_at: float | None = None
    within: float = FOR_EVER

    @property
    def line(self) -> Process:
        """As a history has it."""
        return Process(self.kind, self.how, self.code, self.told_at, self.ended_at, self.within)


class Program:
    """`timokha NAME`; `grace` is how long it may finish what it has in hand. Ends are added to `ends`."""

    def __init__(
        self, kind: str, name: str, directory: Path, settings: Mapping[str, str], *, grace: float, ends: list[End]
    ) -> None:
        self._kind = kind
        self._process = CommandProcess(name, directory, settings)
        self._grace = grace
        self._ends = ends
        self._started: float | None = None
        """None before the start, and when its end is noted."""
        self.groups: list[int] = []

    @property
    def log(self) -> Path:
        return self._process.log

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def start(self) -> None:
        self._note_end("by itself")
        self.groups.append(await self._process.start())
        self._started = time.monotonic()

    async def kill(self) -> None:
        self._note_end("by itself")
        await self._process.kill()
        self._note_end("killed")

    async def terminate(self) -> None:
        """SIGTERM, and SIGKILL if it has not ended in time."""
        self._note_end("by itself")
        told_at = time.monotonic()
        in_time = await self._process.stop(within=timedelta(seconds=self._grace + MARGIN))
        self._note_end("terminated" if in_time else FORCED, told_at)

    def _note_end(self, how: str, told_at: float | None = None) -> None:
        """Note its end, if it has ended and that is not noted yet."""
        code = self._process.exit_code
        if self._started is not None and code is not None:
            now, within = time.monotonic(), self._grace + MARGIN
            self._ends.append(End(self._kind, how, code, now - self._started, told_at, now, within))
            self._started = None


def left_behind(groups: list[int]) -> list[int]:
    """The process groups that still have a process."""
    return [group for group in groups if _is_alive(group)]


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
