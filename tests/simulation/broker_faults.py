"""What goes wrong at RabbitMQ and at the models, and an operator who changes the streams' retention.

The blows of `broker_blows.py`, under their names with `broker_` before them.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

from functions.generate.engines.echo import EchoEngine
from tests.simulation.before import versions
from tests.simulation.requests import EVENTS, QUEUES
from tests.simulation.world import World

STANDS_STILL = 8.0
"""Seconds that RabbitMQ stands still, or lacks memory, at most; likewise:"""
DOWN = 5.0
SLOW_FOR = 10.0
SLOW = (3.5, 6.0)
"""Seconds that an answer takes longer: a lease is renewed after a third of 10 s."""
TIMES = 3
"""How many messages are refused, at most; likewise how many answers:"""
FAILING = 2
RETENTIONS = ({}, {"max_age": 3600}, {"max_age": 7200, "max_bytes": 64 * 1024 * 1024}, {"deadletter_max_age": 3600})
"""What an operator sets."""
RESHAPED = {"x-max-length": 1000}
"""Arguments with which nobody of ours declares a queue."""

KILLED, MOST_OF_SETUP = 0.3, 0.1
"""How likely the operator interrupts it, and after how many seconds at most."""


class EngineFailure(Exception):
    """A model could not answer."""


@dataclass
class BrokerFaults:
    """`note`: tells the judge what was out of order, for how many seconds."""

    world: World
    note: Callable[[str, str, float], None] = lambda *_: None
    _failing: int = 0
    _slow: list[float] = field(default_factory=list)

    def strike(self, what: str, size: float) -> None:
        """`size` also decides by chance what exactly happens, so that it does in a smaller plan as well."""
        getattr(self, f"_{what.removeprefix('broker_')}")(size, Random(f"{what} {size}"))

    # --- RabbitMQ

    def _channels_closed(self, _: float, chance: Random) -> None:
        """Of everybody, or of one who publishes or consumes."""
        names = [connection.name for connection in self.world.rabbitmq.connections]
        self.note("channels_closed", "rabbitmq", 0)
        self.world.rabbitmq.close_channels(chance.choice([None, *names]))

    def _connections_closed(self, _: float, __: Random) -> None:
        self.note("connections_closed", "rabbitmq", 0)
        self.world.rabbitmq.close_connections()

    def _frozen(self, size: float, _: Random) -> None:
        self.note("freeze", "rabbitmq", size * STANDS_STILL)
        self.world.rabbitmq.freeze()
        self._later(size * STANDS_STILL, self.world.rabbitmq.thaw)

    def _alarm(self, size: float, _: Random) -> None:
        self.note("alarm", "rabbitmq", size * STANDS_STILL)
        self.world.rabbitmq.raise_alarm()
        self._later(size * STANDS_STILL, self.world.rabbitmq.end_alarm)

    def _nacked(self, size: float, _: Random) -> None:
        self.note("nacked", "rabbitmq", 0)
        self.world.rabbitmq.nack_publishes(1 + int(size * TIMES))

    def _queue_deleted(self, _: float, chance: Random) -> None:
        if known := sorted(self.world.rabbitmq.store.queues):
            self._delete(chance.choice(known))

    def _queue_reshaped(self, _: float, __: Random) -> None:
        """Somebody declares the program's queue in his own way, once it is gone."""
        for name in QUEUES.values():
            if name in self.world.rabbitmq.store.queues:
                self._delete(name)
                self.world.rabbitmq.store.add_queue(
                    name, durable=True, auto_delete=False, owner=None, arguments=RESHAPED
                )

    def _head_rejected(self, _: float, __: Random) -> None:
        """RabbitMQ gives up the oldest message at the bridge, as after too many deliveries."""
        name = QUEUES[EVENTS]
        queue = self.world.rabbitmq.store.queues.get(name)
        if queue and queue.unsettled:
            self.note("given_up", name, 0)
            queue.discard(next(iter(queue.unsettled)), failed=True)

    def _store_emptied(self, size: float, _: Random) -> None:
        for name in self.world.rabbitmq.store.queues:
            self.note("queue_lost", name, size * DOWN)
        self.note("kill", "rabbitmq", size * DOWN)
        self.world.kill_rabbitmq(size * DOWN, empty=True)

    def _delete(self, name: str) -> None:
        self.note("queue_lost", name, 0)
        self.world.rabbitmq.delete_queue(name)

    # --- models

    def _engine_failing(self, size: float, _: Random) -> None:
        self.note("failing", "engine", 0)
        self._failing += 1 + int(size * FAILING)

    def _engine_slow(self, size: float, chance: Random) -> None:
        self.note("slow", "engine", size * SLOW_FOR)
        self._slow.append(chance.uniform(*SLOW))
        self._later(size * SLOW_FOR, self._slow.pop)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the engines be as these blows say."""
        with ExitStack() as stack:
            for kind in versions(EchoEngine):
                stack.enter_context(patch.object(kind, "generate", self._delayed(kind.generate)))
            yield

    def _delayed(self, generate: Any) -> Any:
        async def delayed(engine: EchoEngine, *turns: Any, **options: Any) -> Any:
            if self._failing:
                self._failing -= 1
                raise EngineFailure
            if self._slow:
                await asyncio.sleep(self._slow[-1])
            return await generate(engine, *turns, **options)

        return delayed

    # --- an operator

    def _setup(self, _: float, chance: Random) -> None:
        killed_after = chance.uniform(0, MOST_OF_SETUP) if chance.random() < KILLED else None
        self.world.set_up(chance.choice(RETENTIONS), killed_after=killed_after)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.world.loop.call_later(seconds, act)
