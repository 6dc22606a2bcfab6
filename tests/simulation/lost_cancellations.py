"""Cancellations that get lost, as `asyncio.wait_for` loses one that comes in the tick in which its future is done.

The blows of the family `lost` in `rare_blows.py`. Python up to 3.11 does so (https://github.com/python/cpython/issues/86296);
here it happens in every version and for certain, as if the caller had gone on and waited again.
"""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

MOST = 4
"""Cancellations that are lost one after the other."""
DOWN = 0.2
"""The size of a blow after which a process starts again at once."""


@dataclass(eq=False)
class LostCancellations:
    blows: "Blows"

    def strike(self, what: str, whom: str, size: float) -> None:
        getattr(self, f"_{what}")(Random(f"{what} {whom} {size}"))

    def _working(self, chance: Random) -> None:
        self._lose(chance)

    def _stopping(self, chance: Random) -> None:
        """Those with which a process ends that is told to."""
        self.blows.strike_one("process_stopped", self._lose(chance), DOWN)

    def _lose(self, chance: Random) -> str:
        """The next ones of some process. Returns its name."""
        name = chance.choice([*self.blows.world.processes])
        if process := self.blows.world.processes[name].process:
            process.to_lose = chance.randint(1, MOST)
        return name
