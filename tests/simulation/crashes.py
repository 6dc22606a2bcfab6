"""Crash a process in the moment in which one of its tasks comes to wait at a chosen place; count what was hit."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.simulation.await_sites import Site, suspended_at
from tests.simulation.plan import Crash
from tests.simulation.processes import SimulatedProcess, SimulatedTask

Place = tuple[str, int]
"""The file, relative to the repository, and the line."""


@dataclass
class Crashes:
    """`strike` gets the crash that is due. `hit`: at how many crashes a task of the process waited at each site.

    `came`: by site, the process that was the first to wait there.
    """

    planned: Sequence[Crash]
    strike: Callable[[Crash], None]
    hit: Counter[Site] = field(default_factory=Counter)
    came: dict[Site, str] = field(default_factory=dict)
    _armed: dict[str, list[tuple[Crash, dict[Place, int]]]] = field(default_factory=dict)
    """By process: its crashes, with how often it may still come to each place."""

    def of(self, phase: str) -> Sequence[Crash]:
        return [crash for crash in self.planned if crash.phase == phase]

    def arm(self, crash: Crash) -> None:
        """Let it happen where it is planned."""
        places = {(file, line): occasion for file, line, occasion in crash.sites}
        self._armed.setdefault(crash.process, []).append((crash, places))

    def overtake(self, crash: Crash) -> None:
        """Let it happen now, wherever the tasks wait, if it has not happened."""
        armed = self._armed.get(crash.process, [])
        if found := next((one for one in armed if one[0] is crash), None):
            armed.remove(found)
            self.strike(crash)

    def after_step(self, task: SimulatedTask) -> None:
        """Look where the task waits now."""
        process = task.process
        assert process is not None
        if task.done():
            return
        waits = list(suspended_at(task))
        for site in waits:
            self.came.setdefault(site, process.name)
        if armed := self._armed.get(process.name):
            self._strike_at(waits, armed)

    def _strike_at(self, waits: Sequence[Site], armed: list[tuple[Crash, dict[Place, int]]]) -> None:
        for site in waits:
            place = site.file, site.line
            for one in armed:
                crash, places = one
                if place in places:
                    places[place] -= 1
                    if not places[place]:
                        armed.remove(one)
                        self.strike(crash)
                        return

    def note(self, process: SimulatedProcess) -> None:
        """Count where the tasks of a process wait that is about to crash."""
        self.hit.update({site for task in process.tasks if not task.done() for site in suspended_at(task)})
