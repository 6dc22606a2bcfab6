"""Kills, freezes and cuts at random, at the pace at which questions are asked, and the other faults beside them."""

import asyncio
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.faults import Faults
from tests.chaos.users import Crowd
from tests.chaos.world import World

DOWN = (0.0, 2.0)
"""Seconds for which a killed process stays down; likewise:"""
FROZEN = (0.5, 13.0)
CUT = (0.0, 2.0)
REST = (0.3, 1.5)
SWITCHED = 0.3
"""How likely the next userbot answers live, or no longer does, after a kill."""


@dataclass
class Storm:
    """`kills` of all kinds alike and the `plan` of other faults, each in an order that the chance decides."""

    world: World
    crowd: Crowd
    kills: int
    plan: list[str]
    faults: Faults
    chance: random.Random
    chance_of_faults: random.Random
    struck: Callable[[], None]
    killed: Counter[str] = field(default_factory=Counter)
    killed_at: list[tuple[float, str]] = field(default_factory=list)
    """And the kind of the only edge that it mattered to."""
    freezes: int = 0
    cuts: int = 0
    _allowed: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Two rows of blows beside each other, so that any two of them can meet."""
        order = self._order()
        rows = {"kills": len(order), "faults": len(self.plan)}
        self._allowed = {row: 0 if count else self.crowd.total for row, count in rows.items()}
        self._allow()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._spread("kills", [lambda kind=kind: self._blow(kind) for kind in order]))
            group.create_task(self._spread("faults", [lambda name=name: self._fault(name) for name in self.plan]))
        await self.faults.watched()

    async def _spread(self, row: str, blows: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """They are spread over the questions, and all come while there is something to answer."""
        for number, blow in enumerate(blows, 1):
            self._allowed[row] = math.ceil(self.crowd.total * number / len(blows))
            self._allow()
            due = self.crowd.total * (number - 1) / len(blows)
            while len(self.crowd.asked) <= due and not self.crowd.complete:  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.05)
            await blow()
        self._allowed[row] = self.crowd.total
        self._allow()

    def _allow(self) -> None:
        """The questions do not outrun the blows."""
        self.crowd.allowed = min(self._allowed.values())

    async def _blow(self, kind: str) -> None:
        await self._kill(kind)
        self.struck()
        if self.chance.random() < 0.5:
            await self._cut()
        if self.chance.random() < 0.25:
            await self._freeze()
        await asyncio.sleep(self.chance.uniform(*REST))

    async def _fault(self, name: str) -> None:
        await asyncio.sleep(self.chance_of_faults.uniform(*REST))
        await self.faults.strike(name)

    def _order(self) -> list[str]:
        order = list(itertools.islice(itertools.cycle(self.world.kinds), self.kills))
        self.chance.shuffle(order)
        return order

    async def _kill(self, kind: str) -> None:
        victim = self.chance.choice(self.world.of(kind))
        before, down, switched = self.chance.uniform(0.0, 0.5), self.chance.uniform(*DOWN), self.chance.random()
        await asyncio.sleep(before)
        async with victim.lock:
            with self.world.chronicle.during("kill", kind, victim.account):
                await victim.kill()
                self.killed[kind] += 1
                self.killed_at.append((time.monotonic(), victim.account))
                await asyncio.sleep(down)
                if victim.edges and switched < SWITCHED:
                    victim.edges[0].switch_live()
                await victim.start()

    async def _freeze(self) -> None:
        victim = self.chance.choice([victim for victim in self.world.victims if victim.kind != "rabbitmq"])
        duration = self.chance.uniform(*FROZEN)
        async with victim.lock:
            with self.world.chronicle.during("freeze", victim.kind, victim.account):
                if victim.freeze():
                    self.freezes += 1
                    await asyncio.sleep(duration)
                    victim.thaw()

    async def _cut(self) -> None:
        drop, duration = self.chance.random() < 0.5, self.chance.uniform(*CUT)
        if self.world.telegram_lock.locked():
            return
        async with self.world.telegram_lock:
            self.cuts += 1
            with self.world.chronicle.during("cut", "telegram"):
                if drop:
                    self.world.telegram.drop_connections()
                    return
                await self.world.telegram.refuse_connections()
                await asyncio.sleep(duration)
                await self.world.telegram.accept_connections()
