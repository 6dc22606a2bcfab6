"""Kills of random processes, about one a minute; some processes are left alone, so that their lives are long."""

import asyncio
import random
import time
from dataclasses import dataclass

from tests.chaos.edges import BOT
from tests.chaos.storm import DOWN, Storm
from tests.chaos.world import Victim

EVERY = (40.0, 80.0)
"""Seconds."""
TELEGRAM = "telegram"


@dataclass
class Kills:
    """A killed process starts again within 2 s. Of each kind of ours one process lives through the whole soak.

    The brokers die too, as does the connection to Telegram: those who live on have to connect again.
    """

    storm: Storm
    chance: random.Random

    async def run(self, until: float) -> None:
        """Run until that time of the monotonic clock."""
        while (due := time.monotonic() + self.chance.uniform(*EVERY)) < until:
            await asyncio.sleep(due - time.monotonic())
            await self._kill(self.chance.choice([*self._victims(), None]))

    def _victims(self) -> list[Victim]:
        world = self.storm.world
        return [*world.of(BOT), *world.of("generate")[1:], *world.of("nats", "rabbitmq")]

    async def _kill(self, victim: Victim | None) -> None:
        """None: the connections to Telegram."""
        if victim is None:
            self.storm.cuts += 1
            with self.storm.world.chronicle.during("cut", TELEGRAM):
                self.storm.world.telegram.drop_connections()
            return
        async with victim.lock:
            with self.storm.world.chronicle.during("kill", victim.kind, victim.account):
                await victim.kill()
                self.storm.killed[victim.kind] += 1
                self.storm.killed_at.append((time.monotonic(), victim.account))
                await asyncio.sleep(self.chance.uniform(*DOWN))
                await victim.start()
