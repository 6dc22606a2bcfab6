"""NATS comes back with what it had stored some seconds ago, as after a backup was restored, whoever runs on."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from events import subjects
from tests.simulation.nats.streams import Stream
from tests.simulation.registers import STREAM

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

AGE = (1.0, 10.0)
"""Seconds between a backup and when it is restored; likewise:"""
DOWN = (0.5, 4.0)
"""Until those that were stopped for it start again."""
MARKS = f"KV_{subjects.MARKS_BUCKET}"
"""What a restore leaves out."""


@dataclass(eq=False)
class Backups:
    """`pending`: how many have been made and not restored yet."""

    blows: "Blows"
    pending: int = field(default=0, init=False)

    def strike(self, what: str, whom: str, size: float) -> None:
        """`running`: the processes run on meanwhile; `stopped`: they don't, as deploy/restore.sh has it."""
        chance = Random(f"backup {what} {whom} {size}")
        streams = self._copy()
        if MARKS in streams and not self._is_small(streams):
            del streams[MARKS]
            self.pending += 1
            self._later(chance.uniform(*AGE), lambda: getattr(self, f"_{what}")(streams, chance))

    def _is_small(self, streams: dict[str, Stream]) -> bool:
        """Return whether one takes small messages only just now: nobody would put that right after the restore."""
        return any(stream.config.get("max_msg_size", -1) > 0 for stream in streams.values())

    def _copy(self) -> dict[str, Stream]:
        """Return all that is stored; only the clock is not copied."""
        store = self.blows.world.nats.store
        return deepcopy(store.streams, {id(store): store})

    def _running(self, streams: dict[str, Stream], _: Random) -> None:
        self._restore(streams)

    def _stopped(self, streams: dict[str, Stream], chance: Random) -> None:
        down = chance.uniform(*DOWN)
        for name in self.blows.world.processes:
            self.blows.crash(name, down)
        self._restore(streams)

    def _restore(self, streams: dict[str, Stream]) -> None:
        self.blows.at_nats.restore(streams, self._restored)

    def _restored(self) -> None:
        """The records that are there again build on nothing that the judge knows."""
        self.pending -= 1
        prefix = f"$KV.{subjects.CHATS_BUCKET}."
        bucket = self.blows.world.nats.store.streams.get(STREAM)
        for message in bucket.every(f"{prefix}>") if bucket else ():
            key = message.subject.removeprefix(prefix)
            self.blows.at_edges.registers.overwritten(key, 0, message.sequence)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.blows.world.loop.call_later(seconds, act)
