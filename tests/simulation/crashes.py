"""Crash a process in the moment in which one of its tasks comes to wait at a chosen place; count what was hit."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.simulation.await_sites import ROOT, Site, frames, suspended_at
from tests.simulation.plan import Crash
from tests.simulation.processes import SimulatedProcess, SimulatedTask


@dataclass
class Crashes:
    """`strike` gets the crash that is due. `hit`: at how many crashes a task of the process waited at each site."""

    planned: Sequence[Crash]
    strike: Callable[[Crash], None]
    hit: Counter[Site] = field(default_factory=Counter)
    _left: dict[str, list[tuple[Crash, str]]] = field(default_factory=dict)
    _occasions: Counter[Crash] = field(default_factory=Counter)

    def arm(self) -> None:
        for crash in self.planned:
            self._left.setdefault(crash.process, []).append((crash, str(ROOT / crash.file)))

    def after_step(self, task: SimulatedTask) -> None:
        """Look where the task waits now."""
        process = task.process
        assert process is not None
        armed = self._left.get(process.name)
        if not armed or task.done():
            return
        for frame in frames(task.get_coro()):
            for crash, file in armed:
                if frame.f_lineno == crash.line and frame.f_code.co_filename == file:
                    self._occasions[crash] += 1
                    if self._occasions[crash] >= crash.occasion:
                        armed.remove((crash, file))
                        self.strike(crash)
                        return

    def note(self, process: SimulatedProcess) -> None:
        """Count where the tasks of a process wait that is about to crash."""
        self.hit.update({site for task in process.tasks if not task.done() for site in suspended_at(task)})
