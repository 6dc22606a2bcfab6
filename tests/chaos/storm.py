"""Kills, freezes and cuts at random, at the pace at which questions are asked."""

import asyncio
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from users import Crowd
from world import KINDS, WITHOUT_RABBITMQ, World

DOWN = (0.0, 2.0)
"""Seconds for which a killed process stays down; likewise:"""
FROZEN = (0.5, 13.0)
CUT = (0.0, 2.0)
REST = (0.3, 1.5)


@dataclass
class Storm:
    """`kills` of all kinds alike, in an order that the chance decides."""

    world: World
    crowd: Crowd
    kills: int
    rabbitmq: bool
    chance: random.Random
    struck: Callable[[], None]
    killed: Counter[str] = field(default_factory=Counter)
    killed_at: list[float] = field(default_factory=list)
    freezes: int = 0
    cuts: int = 0

    async def run(self) -> None:
        for number, kind in enumerate(self._order(), 1):
            self.crowd.allowed = math.ceil(self.crowd.total * number / self.kills)
            await self._load(number)
            await self._kill(kind)
            self.struck()
            if self.chance.random() < 0.5:
                await self._cut()
            if self.chance.random() < 0.25:
                await self._freeze()
            await asyncio.sleep(self.chance.uniform(*REST))
        self.crowd.allowed = self.crowd.total

    def _order(self) -> list[str]:
        kinds = KINDS if self.rabbitmq else WITHOUT_RABBITMQ
        order = list(itertools.islice(itertools.cycle(kinds), self.kills))
        self.chance.shuffle(order)
        return order

    async def _load(self, number: int) -> None:
        """The kills are spread over the questions, and all come while there is something to answer."""
        due = self.crowd.total * (number - 1) / self.kills
        while len(self.crowd.asked) <= due and len(self.crowd.asked) < self.crowd.total:  # noqa: ASYNC110 - a list
            await asyncio.sleep(0.05)

    async def _kill(self, kind: str) -> None:
        victim = self.chance.choice(self.world.of(kind))
        await asyncio.sleep(self.chance.uniform(0.0, 0.5))
        await victim.kill()
        self.killed[kind] += 1
        self.killed_at.append(time.monotonic())
        await asyncio.sleep(self.chance.uniform(*DOWN))
        await victim.start()

    async def _freeze(self) -> None:
        victim = self.chance.choice([victim for victim in self.world.victims if victim.kind != "rabbitmq"])
        if victim.freeze():
            self.freezes += 1
            await asyncio.sleep(self.chance.uniform(*FROZEN))
            victim.thaw()

    async def _cut(self) -> None:
        self.cuts += 1
        if self.chance.random() < 0.5:
            self.world.telegram.drop_connections()
            return
        await self.world.telegram.refuse_connections()
        await asyncio.sleep(self.chance.uniform(*CUT))
        await self.world.telegram.accept_connections()
