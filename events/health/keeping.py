"""Keep a process's health: a task of its event loop rewrites a small file every `BEAT`."""

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
"""Returns what keeps the process from answering now, empty if nothing; it waits for nothing."""

log = structlog.get_logger(__name__)


class Health:
    """Whether this process answers questions now, as its composition root says."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._checks: tuple[Check, ...] = ()
        self.not_ready("it is starting")

    def not_ready(self, why: str) -> None:
        """It does not answer, because of `why`."""
        self._checks = (lambda: why,)

    def ready_unless(self, *unless: Check) -> None:
        """From now on it does, unless one of these finds something."""
        self._checks = unless

    @property
    def problem(self) -> str:
        """The first reason, empty if it answers."""
        if self._stop.is_set():
            return "it is stopping"
        return next((why for check in self._checks if (why := _found(check))), "")


def _found(check: Check) -> str:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one check, the loop turns
        return f"it can't tell how it is ({type(error).__name__})"


@asynccontextmanager
async def health_file(file: Path | None, stop: asyncio.Event, *, clock: Clock) -> AsyncIterator[Health]:
    """In the block `file`, if there is one, says what the `Health` is. `stop`: the process's."""
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
            _write(file, health_line(clock.monotonic(), health.problem))
            failing = False
        except (OSError, ValueError) as error:  # ValueError: no file can be called that
            if not failing:
                log.warning("health.not_written", error=str(error))
            failing = True
        await clock.sleep(BEAT)


def _write(file: Path, line: str) -> None:
    """Whoever reads it meanwhile finds the old line or the new one. `write_whole` does not replace what is in /dev."""
    _new(file).write_text(line, encoding="utf-8", errors="backslashreplace")
    _new(file).replace(file)


def _remove(file: Path) -> None:
    """A directory, named by mistake, stays as it is."""
    with suppress(OSError):
        file.unlink()
    with suppress(OSError, ValueError):
        _new(file).unlink()


def _new(file: Path) -> Path:
    return file.with_name(f"{file.name}.new")
