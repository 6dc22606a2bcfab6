"""One of our processes as a supervisor has it: started, told to end, started again; every end is noted."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MARGIN = 5.0
"""Seconds that a process may take to end on top of its grace."""


@dataclass(frozen=True, slots=True)
class End:
    """`how`: killed and terminated by the storm, forced where SIGTERM did not do, or by itself; `lived` in seconds."""

    kind: str
    how: str
    code: int
    lived: float


class Program:
    """`timokha NAME`; `grace` is how long it may finish what it has in hand. Ends are added to `ends`."""

    def __init__(
        self, kind: str, name: str, directory: Path, settings: Mapping[str, str], *, grace: float, ends: list[End]
    ) -> None:
        self._kind = kind
        self._name = name
        self._directory = directory
        self._settings = settings
        self._grace = grace
        self._ends = ends
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0.0
        self.groups: list[int] = []

    @property
    def log(self) -> Path:
        return self._directory / f"{self._name}.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        self.ended("by itself")
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "cli",
                self._name,
                cwd=self._directory,
                env={**os.environ, **self._settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started = time.monotonic()
        self.groups.append(self._process.pid)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL, "killed", None)

    async def terminate(self) -> None:
        """SIGTERM, and SIGKILL when it has not ended in time."""
        try:
            await self._end(signal.SIGTERM, "terminated", self._grace + MARGIN)
        except TimeoutError:
            await self._end(signal.SIGKILL, "forced", None)

    def ended(self, how: str) -> None:
        """Note the end, if it has ended and that is not noted yet."""
        if self._process and self._process.returncode is not None:
            lived = time.monotonic() - self._started
            self._ends.append(End(self._kind, how, self._process.returncode, lived))
            self._process = None

    async def _end(self, number: signal.Signals, how: str, within: float | None) -> None:
        self.ended("by itself")
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        async with asyncio.timeout(within):
            await self._process.wait()
        self.ended(how)


def left_behind(groups: list[int]) -> list[int]:
    """The process groups that still have a process."""
    return [group for group in groups if _is_alive(group)]


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
