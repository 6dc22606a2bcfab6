"""Processes that are told to end at a bad moment: models are slow, NATS stands still, or is away when they start."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.connections import process_of

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

SLOW = 1.0
"""The size of a blow after which answers take longer than a process waits at its end."""
IN_WORK = (0.5, 3.0)
"""Seconds until something is in work that will not be finished."""
STANDS_STILL = 0.5
"""The size of a blow after which NATS stands still for longer than a process waits for its goodbye."""
AWAY = 0.9
"""Likewise for longer than a process that starts waits for NATS."""
CONNECTS = 2.0
"""Seconds after a start in which it does."""
DOWN = 0.2
"""The size of a blow after which a process starts again at once."""


@dataclass(eq=False)
class Stops:
    blows: "Blows"

    def strike(self, what: str, whom: str, size: float) -> None:
        getattr(self, f"_{what}")(whom, Random(f"{what} {whom} {size}"))

    def _slow(self, _: str, chance: Random) -> None:
        """Workers have to hand back what they have in work."""
        self.blows.at_brokers.strike("broker_engine_slow", SLOW)
        self._later(chance.uniform(*IN_WORK), self._stop, *self._named("generate"), "bridge")

    def _frozen(self, whom: str, chance: Random) -> None:
        """NATS answers no goodbye."""
        self.blows.strike_one("nats_frozen", whom, STANDS_STILL)
        self._later(chance.uniform(*IN_WORK), self._stop, chance.choice([whom, *self.blows.world.processes]))

    def _connecting(self, whom: str, chance: Random) -> None:
        """One that has just crashed finds no NATS, and is told to end while it tries to connect."""
        one = chance.choice([whom, *self.blows.world.processes])
        self.blows.strike_one("nats_killed", whom, AWAY)
        self.blows.crash(one, 0.0)
        self._later(chance.uniform(0, CONNECTS), self._stop, one)

    def _outward(self, _: str, chance: Random) -> None:
        self._stop(chance.choice(["bridge", "generate-rabbitmq"]))

    def _inward(self, _: str, __: Random) -> None:
        self._stop("bridge-in")

    def _stop(self, *names: str) -> None:
        for name in map(process_of, names):
            if name in self.blows.world.processes:
                self.blows.strike_one("process_stopped", name, DOWN)

    def _named(self, prefix: str) -> list[str]:
        return [name for name in self.blows.world.processes if name.startswith(prefix)]

    def _later(self, seconds: float, act: Callable[..., object], *given: str) -> None:
        self.blows.world.loop.call_later(seconds, act, *given)
