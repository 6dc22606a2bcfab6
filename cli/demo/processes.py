"""Run commands of `timokha` as processes, started as a user would start them, each with a log file."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import structlog

from events.errors import TimokhaError
from events.runtime import children
from events.runtime.tasks import AGAIN, cancel, finish

STOP_TIMEOUT = timedelta(seconds=10)
"""How long a process may take to end after SIGTERM."""
KILL_TIMEOUT = timedelta(seconds=5)
"""How long the system may take to end a process after SIGKILL."""

log = structlog.get_logger(__name__)


class ProcessEnded(TimokhaError):
    """A process that should run has ended."""


async def run_once(name: str) -> None:
    """Run `timokha NAME` to its end, with its output on our stderr. Raises ProcessEnded if it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        name,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
        preexec_fn=children.kill_with_parent(),
    )
    children.register_group(process.pid)
    try:
        code = await process.wait()
    finally:
        await finish(2 * KILL_TIMEOUT, _end(process, name, signal.SIGTERM, within=KILL_TIMEOUT))
    if code:
        raise ProcessEnded(f"timokha {name} ended with exit code {code}; its output is above")


class CommandProcess:
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

    @property
    def exit_code(self) -> int | None:
        """None before the start and while it runs; negative if a signal has ended it."""
        return self._process.returncode if self._process else None

    async def start(self) -> int:
        """Start the process; return its id, which is its process group's too."""
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
                # Ctrl-C in the terminal goes to the demo only, which stops them in order.
                start_new_session=True,
                preexec_fn=children.kill_with_parent(),
            )
        children.register_group(self._process.pid)
        return self._process.pid

    async def ended(self) -> ProcessEnded:
        """Wait until the process has ended by itself; return an error with its last line of output."""
        assert self._process
        code = await self._process.wait()
        children.unregister_group(self._process.pid)
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return ProcessEnded(f"{self._name} ended with exit code {code}: {lines[-1] if lines else 'no output'}")

    async def stop(self, how: signal.Signals = signal.SIGTERM, *, within: timedelta = STOP_TIMEOUT) -> bool:
        """Signal the process; kill it if it has not ended `within` that time. Return whether it ended in time."""
        return self._process is None or await _end(self._process, self._name, how, within=within)

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process, name: str, how: signal.Signals, *, within: timedelta) -> bool:
    in_time = await _signalled(process, how, within)
    if not in_time:
        log.warning("process.killed", process=name, pid=process.pid, after=within.total_seconds())
        await _signalled(process, signal.SIGKILL, KILL_TIMEOUT)
    children.unregister_group(process.pid)
    return in_time


async def _signalled(process: asyncio.subprocess.Process, how: signal.Signals, within: timedelta) -> bool:
    """Send the signal; return whether the process has ended `within` that time."""
    if process.returncode is not None:
        return True
    with suppress(ProcessLookupError):
        process.send_signal(how)
    try:
        async with asyncio.timeout(within.total_seconds()):
            await process.wait()
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def running(*processes: CommandProcess, within: timedelta = STOP_TIMEOUT) -> AsyncIterator[None]:
    """Run `processes` within the block. If one ends by itself, cancel the block and raise ProcessEnded.

    At the end stop all; kill those that do not end `within` that time.
    """
    block = asyncio.current_task()
    assert block
    ended: list[ProcessEnded] = []
    inside = True

    async def watch(process: CommandProcess) -> None:
        ended.append(await process.ended())
        while inside:  # one cancellation may not be enough, see events.runtime.tasks
            block.cancel()
            await asyncio.wait({block}, timeout=AGAIN)

    watches: list[asyncio.Task[None]] = []
    try:
        for process in processes:
            await process.start()
            watches.append(asyncio.create_task(watch(process)))
        yield
    except asyncio.CancelledError:
        if not ended:
            raise
    finally:
        inside = False
        await finish(within + 2 * KILL_TIMEOUT, _stop(watches, processes, within))
    if ended:
        raise ended[0]


async def _stop(watches: list[asyncio.Task[None]], processes: tuple[CommandProcess, ...], within: timedelta) -> None:
    await cancel(*watches)
    await asyncio.gather(*(process.stop(within=within) for process in processes))
