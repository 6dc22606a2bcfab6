"""Many users who ask at a steady rate: each one question after the other, with a pause between."""

import asyncio
import time
from dataclasses import dataclass

from edge.sandbox.state import Account
from tests.chaos.edges import Edge
from tests.chaos.users import Crowd


@dataclass
class SteadyCrowd(Crowd):
    """`pause`: the least and the most seconds from an outcome to the next question. Ends `until` (monotonic)."""

    pause: tuple[float, float] = (30.0, 60.0)
    until: float = 0.0

    @property
    def complete(self) -> bool:
        return time.monotonic() >= self.until

    async def _talk(self, person: Account, edge: Edge) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, self.pause[1]))
        while not self.complete:
            await self._outcome(self.ask(person, edge))
            await asyncio.sleep(self.chance.uniform(*self.pause))
