"""What goes wrong with model servers of somebody else's: the blows of `both_ways.py`."""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.addresses import MODELS

if TYPE_CHECKING:
    from tests.simulation.blows import Blows
    from tests.simulation.model_server import ModelServer

AWAY = 9.0
"""Seconds that they are away at most: after five the bridge gives their requests up."""
DOWN = 0.2
"""The size of a blow after which a process starts again at once."""
SOON = (0.5, 5.0)
"""Seconds until the bridge ends whose late reply is then to nobody that waits for it."""
RESHAPED = {"x-max-length": 1000}


@dataclass(eq=False)
class ForeignFaults:
    blows: "Blows"
    server: "ModelServer | None" = None

    def strike(self, what: str, _: str, size: float) -> None:
        if self.server is None:
            return
        known = getattr(self, f"_{what}", None)
        if known:
            known(size, Random(f"{what} {size}"))
        else:
            self.server.next.append(what)

    def _away(self, size: float, _: Random) -> None:
        assert self.server
        self.blows.note("kill", "models", size * AWAY)
        self.server.end()
        self.blows.world.loop.call_later(size * AWAY, self.server.begin)

    def _queue_deleted(self, _: float, __: Random) -> None:
        if MODELS in self.blows.world.rabbitmq.store.queues:
            self.blows.note("queue_lost", MODELS, 0)
            self.blows.world.rabbitmq.delete_queue(MODELS)

    def _queue_reshaped(self, _: float, chance: Random) -> None:
        """Somebody declares it in his own way, and deletes it a while later."""
        self._queue_deleted(0, chance)
        self.blows.world.rabbitmq.store.add_queue(
            MODELS, durable=True, auto_delete=False, owner=None, arguments=RESHAPED
        )
        self.blows.world.loop.call_later(chance.uniform(1, 8), self._queue_deleted, 0, chance)

    def _bridge_restarted(self, _: float, chance: Random) -> None:
        """While an answer is late, which the bridge then has to find in its records."""
        assert self.server
        self.server.next.append(chance.choice(("late", "huge_late")))
        self.blows.world.loop.call_later(chance.uniform(*SOON), self._restart_bridge, chance.choice((True, False)))

    def _restart_bridge(self, killed: bool) -> None:
        if killed:
            self.blows.crash("bridge-in", DOWN)
        else:
            self.blows.strike_one("process_stopped", "bridge-in", DOWN)
