"""A process of the product that is started again whenever it has ended, and each of its lives."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.commands import Run
from tests.simulation.log import STARTED
from tests.simulation.processes import SimulatedProcess

if TYPE_CHECKING:
    from tests.simulation.world import World

RESTART = 1.0
"""Seconds after which a process that ended by itself is started again, as compose does."""


@dataclass(eq=False)
class Life:
    """One process from its start to its end, with the times of both and what it was told."""

    process: SimulatedProcess
    told_at: float | None = None
    ended_at: float | None = None
    how: str = ""
    error: str = ""
    again_after: float | None = RESTART
    is_before: bool = False

    def end(self, at: float, how: str, error: BaseException | None = None) -> None:
        self.ended_at, self.how = at, how
        self.error = f"{type(error).__name__}: {error}" if error else ""


@dataclass(eq=False)
class Supervised:
    """A process that is started again whenever it has ended. `lives`: all of its processes, the last one runs."""

    name: str
    run: Run
    run_before: Run
    world: "World"
    is_before: bool = False
    """It is the version before, from its next start on."""
    lives: list[Life] = field(default_factory=list)
    closed: bool = False

    @property
    def process(self) -> SimulatedProcess | None:
        """The one that runs, if one does."""
        return self.lives[-1].process if self.lives and self.lives[-1].ended_at is None else None

    def start(self) -> None:
        if self.closed or self.process:
            return
        process = SimulatedProcess(self.name, self.run_before if self.is_before else self.run)
        self.lives.append(Life(process, is_before=self.is_before))
        self.world.log.write(self.name, {"event": STARTED})
        process.start()
        assert process.main
        process.main.add_done_callback(partial(self._ended, self.lives[-1]))

    def crash(self, *, again_after: float) -> None:
        """End it as SIGKILL does."""
        if process := self.process:
            self.lives[-1].end(self.world.loop.time(), "killed")
            self.world.on_crash(process)
            process.crash()
            self.world.loop.call_later(again_after, self.start)

    def stop(self, *, again_after: float | None = None) -> None:
        """Tell it to end, as SIGTERM does; it is started again `again_after` seconds after it has."""
        if (process := self.process) and self.lives[-1].told_at is None:
            self.lives[-1].told_at = self.world.loop.time()
            self.lives[-1].again_after = again_after
            process.stop()

    def freeze(self, seconds: float) -> None:
        if (process := self.process) and not process.frozen:
            process.frozen = True
            self.world.loop.call_later(seconds, self.world.loop.thaw, process)

    def _ended(self, life: Life, main: "asyncio.Task[None]") -> None:
        if life.ended_at is not None:
            return
        error = None if main.cancelled() else main.exception()
        life.end(self.world.loop.time(), "by itself" if life.told_at is None else "terminated", error)
        self.world.log.write(self.name, {"event": "process.ended", "error": life.error, "is_before": life.is_before})
        if life.again_after is not None:
            self.world.loop.call_later(life.again_after, self.start)
