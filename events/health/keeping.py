"""Publish a process's health: a task of its event loop rewrites a small file every `BEAT`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import structlog

from events.health.reading import health_line
from events.runtime.clock import Clock
from events.runtime.tasks import cancel

BEAT = timedelta(seconds=2)

Check = Callable[[], str]
"""Returns at once what keeps the process from answering questions, empty if nothing."""

log = structlog.get_logger(__name__)


class Health:
    """Whether this process answers questions now; its composition root sets it."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._checks: tuple[Check, ...] = ()
        self.not_ready("it is starting")

    def not_ready(self, why: str) -> None:
        """Set the process unhealthy because of `why`."""
        self._checks = (lambda: why,)

    def ready_unless(self, *checks: Check) -> None:
        """Set the process healthy, unless one of `checks` finds a problem."""
        self._checks = checks

    @property
    def problem(self) -> str:
        """What keeps the process from answering now, empty if nothing."""
        if self._stop.is_set():
            return "it is stopping"
        return next((why for check in self._checks if (why := _run(check))), "")


def _run(check: Check) -> str:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a broken check must not end the loop
        return f"one of its health checks failed ({type(error).__name__})"


@asynccontextmanager
async def health_file(file: Path | None, stop: asyncio.Event, *, clock: Clock) -> AsyncIterator[Health]:
    """Within the block keep writing the yielded `Health` to `file`, if given. `stop` is the process's."""
    health = Health(stop)
    if file is None:
        yield health
        return
    beating = asyncio.create_task(_beat(file, health, clock))
    try:
        yield health
    finally:
        await cancel(beating)
        _remove(file)


async def _beat(file: Path, health: Health, clock: Clock) -> None:
    failing = False
    while True:
        try:
            # Atomically, but not with `write_whole`, which does not replace files in /dev.
            line = health_line(clock.monotonic(), health.problem)
            _new(file).write_text(line, encoding="utf-8", errors="backslashreplace")
            _new(file).replace(file)
            failing = False
        except (OSError, ValueError) as error:  # ValueError: not a valid file name
            if not failing:
                log.warning("health.not_written", error=str(error))
            failing = True
        await clock.sleep(BEAT)


def _remove(file: Path) -> None:
    with suppress(OSError):  # a directory, named by mistake, stays as it is
        file.unlink()
    with suppress(OSError, ValueError):
        _new(file).unlink()


def _new(file: Path) -> Path:
    return file.with_name(f"{file.name}.new")
