"""What goes wrong in a seed: each kind of blow is a method of its name, and noted for the judge."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from events import subjects
from events.jetstream.connection import PUBLISH_TIMEOUT
from events.transport import Channel
from tests.promises.lines import FOR_EVER
from tests.promises.lines.disturbances import Disturbance, Flood
from tests.simulation import before
from tests.simulation.backups import Backups
from tests.simulation.broker_faults import BrokerFaults
from tests.simulation.bugs import Bugs
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.connections import process_of
from tests.simulation.edge_faults import EdgeFaults
from tests.simulation.foreign_faults import ForeignFaults
from tests.simulation.group_blows import GroupBlows
from tests.simulation.late_faults import LateFaults
from tests.simulation.lost_cancellations import LostCancellations
from tests.simulation.models import Models
from tests.simulation.nats.streams import Stream
from tests.simulation.nats_refusals import NatsRefusals
from tests.simulation.plan import Blow
from tests.simulation.rabbit_faults import RabbitFaults
from tests.simulation.stops import Stops
from tests.simulation.talks import Talk
from tests.simulation.telegram_blows import TelegramBlows
from tests.simulation.unrecorded import Unrecorded
from tests.simulation.worker_faults import WorkerFaults
from tests.simulation.world import World

DOWN = 6.0
"""Seconds that something is down at most; likewise:"""
FROZEN = 15.0
SLOW = 0.05
TAKEN_UP = 0.2
"""Seconds between two looks whether an emptied store has been taken up."""
TIMES = 4
"""How often, at most, something is lost, doubled or refused."""
CLIENT_NAMES = {"userbot": "userbot", "bot": "userbot", "bridge": "bridge", "bridge-in": "bridge", BUSINESS: BUSINESS}
"""What the processes call themselves at NATS."""

Nats, Rabbit = NatsRefusals | Backups, RabbitFaults | WorkerFaults | ForeignFaults
Family = Stops | Bugs | Models | Nats | Rabbit | LateFaults | Unrecorded | LostCancellations


@dataclass
class Blows:
    """`noted`: what was out of order, for the judge; `floods`: how long Telegram told whom to wait.

    `talk`: of the group that there is.
    """

    world: World
    chance: Random
    at_edges: EdgeFaults
    at_brokers: BrokerFaults
    bugs: Bugs
    workers: WorkerFaults
    models: Models
    noted: list[Disturbance] = field(default_factory=list)
    floods: list[Flood] = field(default_factory=list)
    talk: Talk | None = None
    _emptied: dict[str, list[float]] = field(default_factory=dict)
    """By edge: when its store was emptied for the first time, and when the last one was taken up."""

    def __post_init__(self) -> None:
        self.at_brokers.note = self.note
        self.at_edges.crash = self.crash
        self.telegram = TelegramBlows(self.world, self.chance, self.note, self._note_flood)
        self.bugs.note = self.workers.note = self.models.note = self.note
        self.refusals, self.at_rabbitmq = NatsRefusals(self), RabbitFaults(self)
        self.foreign, self.backups = ForeignFaults(self), Backups(self)
        self.rare: dict[str, Family] = {
            "backup": self.backups,
            "late": LateFaults(self),
            "foreign": self.foreign,
            "stop": Stops(self),
            "bug": self.bugs,
            "model": self.models,
            "refused": self.refusals,
            "rabbit": self.at_rabbitmq,
            "taken": Unrecorded(self),
            "worker": self.workers,
            "lost": LostCancellations(self),
        }

    def strike(self, blow: Blow) -> None:
        family, _, kind = blow.what.partition("_")
        if family in self.rare:
            self.rare[family].strike(kind, blow.whom, blow.size)
        elif blow.what.startswith("edge_"):
            self.note(blow.what.removeprefix("edge_"), "telegram", 0, blow.whom)
            self.at_edges.strike(blow.what, blow.whom, blow.size)
        elif blow.what.startswith("group_"):
            self.group.strike(blow.what.removeprefix("group_"), blow.size)
        elif blow.what.startswith("broker_"):
            self.at_brokers.strike(blow.what, blow.size)
        elif blow.what.startswith("telegram_"):
            self.telegram.strike(blow.what.removeprefix("telegram_"), blow.whom, blow.size)
        else:
            self.strike_one(blow.what, blow.whom, blow.size)

    def strike_one(self, what: str, whom: str, size: float) -> None:
        """Strike one of the kinds that are below."""
        getattr(self, f"_{what}")(whom, size)

    @property
    def group(self) -> GroupBlows:
        return GroupBlows(self.world, self.talk, self.note, self._note_flood)

    # --- the account

    def _spammer(self, whom: str, _: float) -> None:
        """Telegram refuses a message as it takes the account for a spammer."""
        self.note("peer_flood", "telegram", 0, whom)
        self.at_edges.refuse_as_spam(whom)

    # --- NATS

    def _nats_killed(self, _: str, size: float) -> None:
        self.note("kill", "nats", size * DOWN)
        self.world.kill_nats(size * DOWN)

    def _nats_frozen(self, _: str, size: float) -> None:
        self.note("freeze", "nats", size * FROZEN)
        self.world.nats.freeze()
        self._later(size * FROZEN, self.world.nats.thaw)

    def _nats_cut(self, whom: str, _: float) -> None:
        self.note("cut", "nats", 0)
        self.world.nats.cut(CLIENT_NAMES.get(whom, "generate"))

    def _nats_without_leader(self, _: str, size: float) -> None:
        self.note("without_leader", "nats", 0)
        self.world.nats.faults.without_leader += 1 + int(size * 2 * TIMES)

    def _nats_slow(self, _: str, size: float) -> None:
        self.note("slow", "nats", size * FROZEN)
        self.world.nats.faults.delay = SLOW
        self._later(size * FROZEN, self._nats_fast)

    def _nats_fast(self) -> None:
        self.world.nats.faults.delay = 0.0

    def _puback_lost(self, _: str, size: float) -> None:
        channel = self.chance.choice(list(Channel))
        self.world.nats.faults.on_lost = self._note_lost_confirmation
        self.world.nats.faults.lose_confirmations(f"timokha.{channel.value}.", 1 + int(size * TIMES))

    def _update_answer_lost(self, _: str, size: float) -> None:
        bucket = self.chance.choice(subjects.BUCKETS)
        self.world.nats.faults.on_lost = self._note_lost_confirmation
        for _time in range(1 + int(size * TIMES)):
            self.world.nats.faults.lose_confirmed_update(bucket)

    def _note_lost_confirmation(self, subject: str) -> None:
        """It holds up whoever waits for it, which may be long after the blow."""
        what, _, rest = subject.partition(".")
        kind = "update_answer_lost" if what == "$KV" else "puback_lost"
        self.note(kind, rest.partition(".")[0], PUBLISH_TIMEOUT)

    def _delivered_twice(self, _: str, size: float) -> None:
        self.note("delivered_twice", "nats", 0)
        self.world.nats.faults.forgotten_acks += 1 + int(size * TIMES)

    def _store_emptied(self, _: str, __: float) -> None:
        self._note_emptied()
        self.world.empty_nats(self._look_for_watermarks)

    def restore(self, streams: dict[str, Stream], restored: Callable[[], None]) -> None:
        """Let NATS come back with an older store; `restored` is called then. The judge takes it for an emptied one."""
        self._note_emptied()

        def look() -> None:
            restored()
            self._look_for_watermarks()

        self.world.empty_nats(look, streams)

    def _stream_deleted(self, _: str, __: float) -> None:
        stream = self.chance.choice([subjects.stream(channel) for channel in Channel])
        if self.world.nats_has(stream):
            self.delete_stream(stream)

    def delete_stream(self, stream: str) -> None:
        self.note("deleted_stream", stream, 0)
        self.world.nats.delete_stream(stream)

    def _consumer_deleted(self, whom: str, _: float) -> None:
        replies = subjects.edge_consumer(str(self.world.accounts[whom].id))
        stream, consumer = self.chance.choice((("REQUESTS", subjects.GENERATE_CONSUMER), ("REPLIES", replies)))
        if self.world.nats_has(stream, consumer):
            self.note("deleted_consumer", consumer, 0)
            self.world.nats.delete_consumer(stream, consumer)

    def _note_emptied(self) -> None:
        """It has ended for an edge when its watermark is there again."""
        now = self.world.loop.time()
        for edge in self.world.accounts:
            self._emptied[edge] = [self._emptied.get(edge, [now])[0], FOR_EVER]

    def _look_for_watermarks(self) -> None:
        for edge, known in self._emptied.items():
            if known[1] == FOR_EVER and self._is_taken_up(edge):
                known[1] = self.world.loop.time()
        if self.is_under_way:
            self._later(TAKEN_UP, self._look_for_watermarks)

    def _is_taken_up(self, edge: str) -> bool:
        """Whether it is stored how far the changes were taken in, of the account and of its group."""
        subject = f"$KV.{subjects.TELEGRAM_BUCKET}.{self._caller(edge)}"
        stored = [found for found, _ in self.world.stored(f"KV_{subjects.TELEGRAM_BUCKET}", subject)]
        return subject in stored and (not self.talk or self.talk.edge != edge or self.group.is_followed)

    @property
    def is_under_way(self) -> bool:
        """Whether an emptied store has not been taken up yet, or a backup has not been restored."""
        return self.backups.pending > 0 or any(ended == FOR_EVER for _, ended in self._emptied.values())

    def disturbances(self) -> list[Disturbance]:
        """All of them; they may still go on."""
        emptied = [Disturbance("emptied", "nats", *times, edge) for edge, times in self._emptied.items()]
        return [*self.noted, *emptied]

    # --- RabbitMQ

    def _rabbitmq_killed(self, _: str, size: float) -> None:
        self.note("kill", "rabbitmq", size * DOWN)
        for queue in self.world.rabbitmq.store.queues.values():
            if not queue.durable:
                self.note("queue_lost", queue.name, size * DOWN)
        self.world.kill_rabbitmq(size * DOWN)

    def _rabbitmq_cut(self, _: str, __: float) -> None:
        self.note("cut", "rabbitmq", 0)
        self.world.rabbitmq.cut()

    def _confirm_lost(self, _: str, size: float) -> None:
        self.note("confirm_lost", "rabbitmq", 0)
        self.world.rabbitmq.lose_confirms(1 + int(size * TIMES))

    def _returned(self, _: str, size: float) -> None:
        self.note("returned", "rabbitmq", 0)
        self.world.rabbitmq.return_publishes(1 + int(size * TIMES))

    def _requeued(self, _: str, __: float) -> None:
        self.note("requeued", "rabbitmq", 0)
        for queue in list(self.world.rabbitmq.store.queues):
            self.world.rabbitmq.requeue_early(queue)

    # --- processes

    def _process_crashed(self, whom: str, size: float) -> None:
        self.crash(whom, size * DOWN)

    def _process_stopped(self, whom: str, size: float) -> None:
        whom = process_of(whom)
        self.note("term", kind_of(whom), size * DOWN, whom if whom in self.world.accounts else "")
        self.world.processes[whom].stop(again_after=size * DOWN)

    def _version_changed(self, whom: str, size: float) -> None:
        """It is updated, or taken back to the version before."""
        if not before.why_not():
            self.world.processes[whom].is_before ^= True
        self._process_stopped(whom, size)

    def _process_frozen(self, whom: str, size: float) -> None:
        whom = process_of(whom)
        self.note("freeze", kind_of(whom), size * FROZEN, whom if whom in self.world.accounts else "")
        self.world.processes[whom].freeze(size * FROZEN)

    def crash(self, whom: str, down: float) -> None:
        """As SIGKILL, with a start `down` seconds later."""
        whom = process_of(whom)
        self.note("kill", kind_of(whom), down, whom if whom in self.world.accounts else "")
        self.world.crash(whom, down)

    def _caller(self, whom: str) -> int:
        return self.world.callers[whom].id

    def note(self, what: str, whom: str, seconds: float, account: str = "") -> None:
        """What happens to a bot concerns all who have connected it."""
        now, alone = self.world.loop.time(), "" if process_of(account) == BUSINESS else account
        self.noted.append(Disturbance(what, whom, now, now + seconds, alone))

    def _note_flood(self, whom: str, seconds: float) -> None:
        self.note("flood", "telegram", seconds, whom)
        self.floods.append(Flood("" if process_of(whom) == BUSINESS else whom, seconds))

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.world.loop.call_later(seconds, act)


def kind_of(process: str) -> str:
    """Return the kind of a process by its name, as the judge knows it."""
    return "generate" if process in ("generate-1", "generate-2") else process
