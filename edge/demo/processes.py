"""The product's processes, started as a person would start them, each with a log file."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from events.errors import TimokhaError

STOP_TIMEOUT = 10
"""Seconds that a process may take to end on SIGTERM."""


class ProcessEnded(TimokhaError):
    """A process that should run has ended."""


async def run_once(name: str) -> None:
    """`timokha NAME` to its end, saying what it says on our stderr. Raises ProcessEnded if it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", name, stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr
    )
    if code := await process.wait():
        raise ProcessEnded(f"timokha {name} ended with exit code {code}; what it said is above")


class Process:
    """`timokha NAME`, with settings in its environment."""

    def __init__(self, name: str, directory: Path, settings: Mapping[str, str]) -> None:
        self._name = name
        self._directory = directory
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        return self._directory / f"{self._name}.log"

    @property
    def pid(self) -> int | None:
        """None before the start and after the end."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
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
                # Ctrl-C in the terminal is for the demo: it ends them in order.
                start_new_session=True,
            )

    async def ended(self) -> ProcessEnded:
        """Waits until the process has ended by itself, and says so with its last words."""
        assert self._process
        code = await self._process.wait()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return ProcessEnded(f"{self._name} ended with exit code {code}: {lines[-1] if lines else 'no output'}")

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            await self.stop(signal.SIGKILL)

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)


@asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    """All of them run inside; if one ends by itself, so does the block, with ProcessEnded."""
    for process in processes:
        await process.start()
    block = asyncio.current_task()
    assert block
    ended: list[ProcessEnded] = []

    async def watch(process: Process) -> None:
        ended.append(await process.ended())
        block.cancel()

    watches = [asyncio.create_task(watch(process)) for process in processes]
    try:
        yield
    except asyncio.CancelledError:
        if ended:
            raise ended[0] from None
        raise
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*(process.stop() for process in reversed(processes)))
