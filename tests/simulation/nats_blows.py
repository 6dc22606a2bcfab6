"""What goes wrong at NATS: each kind of blow is a method of its name. Of an emptied store, how long edges lack it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from events import subjects
from events.jetstream.connection import PUBLISH_TIMEOUT
from events.transport import Channel
from tests.promises.lines import FOR_EVER
from tests.promises.lines.disturbances import Disturbance
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.nats.streams import Stream

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

DOWN = 6.0
"""Seconds that it is down at most; likewise:"""
FROZEN = 15.0
SLOW = 0.05
TAKEN_UP = 0.2
"""Seconds between two looks whether an emptied store has been taken up."""
TIMES = 4
"""How often, at most, something is lost, doubled or refused."""
CLIENT_NAMES = {"userbot": "userbot", "bot": "userbot", "bridge": "bridge", "bridge-in": "bridge", BUSINESS: BUSINESS}
"""What the processes call themselves at NATS."""


@dataclass(eq=False)
class NatsBlows:
    blows: "Blows"
    _emptied: dict[str, list[float]] = field(default_factory=dict)
    """By edge: when its store was emptied for the first time, and when the last one was taken up."""

    def _nats_killed(self, _: str, size: float) -> None:
        self.blows.note("kill", "nats", size * DOWN)
        self.blows.world.kill_nats(size * DOWN)

    def _nats_frozen(self, _: str, size: float) -> None:
        self.blows.note("freeze", "nats", size * FROZEN)
        self.blows.world.nats.freeze()
        self._later(size * FROZEN, self.blows.world.nats.thaw)

    def _nats_cut(self, whom: str, _: float) -> None:
        self.blows.note("cut", "nats", 0)
        self.blows.world.nats.cut(CLIENT_NAMES.get(whom, "generate"))

    def _nats_without_leader(self, _: str, size: float) -> None:
        self.blows.note("without_leader", "nats", 0)
        self.blows.world.nats.faults.without_leader += 1 + int(size * 2 * TIMES)

    def _nats_slow(self, _: str, size: float) -> None:
        self.blows.note("slow", "nats", size * FROZEN)
        self.blows.world.nats.faults.delay = SLOW
        self._later(size * FROZEN, self._nats_fast)

    def _nats_fast(self) -> None:
        self.blows.world.nats.faults.delay = 0.0

    def _puback_lost(self, _: str, size: float) -> None:
        channel = self.blows.chance.choice(list(Channel))
        self.blows.world.nats.faults.on_lost = self._note_lost_confirmation
        self.blows.world.nats.faults.lose_confirmations(f"timokha.{channel.value}.", 1 + int(size * TIMES))

    def _update_answer_lost(self, _: str, size: float) -> None:
        bucket = self.blows.chance.choice(subjects.BUCKETS)
        self.blows.world.nats.faults.on_lost = self._note_lost_confirmation
        for _time in range(1 + int(size * TIMES)):
            self.blows.world.nats.faults.lose_confirmed_update(bucket)

    def _note_lost_confirmation(self, subject: str) -> None:
        """It holds up whoever waits for it, which may be long after the blow."""
        what, _, rest = subject.partition(".")
        kind = "update_answer_lost" if what == "$KV" else "puback_lost"
        self.blows.note(kind, rest.partition(".")[0], PUBLISH_TIMEOUT)

    def _delivered_twice(self, _: str, size: float) -> None:
        self.blows.note("delivered_twice", "nats", 0)
        self.blows.world.nats.faults.forgotten_acks += 1 + int(size * TIMES)

    def _store_emptied(self, _: str, __: float) -> None:
        self._note_emptied()
        self.blows.world.empty_nats(self._look_for_watermarks)

    def restore(self, streams: dict[str, Stream], restored: Callable[[], None]) -> None:
        """Let NATS come back with an older store; `restored` is called then. The judge takes it for an emptied one."""
        self._note_emptied()

        def look() -> None:
            restored()
            self._look_for_watermarks()

        self.blows.world.empty_nats(look, streams)

    def _stream_deleted(self, _: str, __: float) -> None:
        stream = self.blows.chance.choice([subjects.stream(channel) for channel in Channel])
        if self.blows.world.nats_has(stream):
            self.delete_stream(stream)

    def delete_stream(self, stream: str) -> None:
        self.blows.note("deleted_stream", stream, 0)
        self.blows.world.nats.delete_stream(stream)

    def _consumer_deleted(self, whom: str, _: float) -> None:
        replies = subjects.edge_consumer(str(self.blows.world.accounts[whom].id))
        stream, consumer = self.blows.chance.choice((("REQUESTS", subjects.GENERATE_CONSUMER), ("REPLIES", replies)))
        if self.blows.world.nats_has(stream, consumer):
            self.blows.note("deleted_consumer", consumer, 0)
            self.blows.world.nats.delete_consumer(stream, consumer)

    def _note_emptied(self) -> None:
        """It has ended for an edge when its watermark is there again."""
        now = self.blows.world.loop.time()
        for edge in self.blows.world.accounts:
            self._emptied[edge] = [self._emptied.get(edge, [now])[0], FOR_EVER]

    def _look_for_watermarks(self) -> None:
        for edge, known in self._emptied.items():
            if known[1] == FOR_EVER and self._is_taken_up(edge):
                known[1] = self.blows.world.loop.time()
        if self.blows.is_under_way:
            self._later(TAKEN_UP, self._look_for_watermarks)

    def _is_taken_up(self, edge: str) -> bool:
        """Whether it is stored how far the changes were taken in, of the account and of its group."""
        subject = f"$KV.{subjects.TELEGRAM_BUCKET}.{self.blows.world.callers[edge].id}"
        stored = [found for found, _ in self.blows.world.stored(f"KV_{subjects.TELEGRAM_BUCKET}", subject)]
        return subject in stored and (
            not self.blows.talk or self.blows.talk.edge != edge or self.blows.group.is_followed
        )

    @property
    def is_emptied(self) -> bool:
        """Whether an emptied store has not been taken up yet."""
        return any(ended == FOR_EVER for _, ended in self._emptied.values())

    def emptied(self) -> list[Disturbance]:
        """Since when each edge has had an emptied store, and until when."""
        return [Disturbance("emptied", "nats", *times, edge) for edge, times in self._emptied.items()]

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.blows.world.loop.call_later(seconds, act)
