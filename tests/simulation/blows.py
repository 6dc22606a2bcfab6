"""What goes wrong in a seed: each kind of blow is a method of its name, and noted for the judge."""

from dataclasses import dataclass, field
from random import Random

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
from tests.simulation.nats_blows import NatsBlows
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
TIMES = 4
"""How often, at most, something is lost, doubled or refused."""

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

    def __post_init__(self) -> None:
        self.at_brokers.note = self.note
        self.at_edges.crash = self.crash
        self.at_nats = NatsBlows(self)
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
        """Strike one of the kinds that are below, or at NATS."""
        strike = getattr(self, f"_{what}", None) or getattr(self.at_nats, f"_{what}")
        strike(whom, size)

    @property
    def group(self) -> GroupBlows:
        return GroupBlows(self.world, self.talk, self.note, self._note_flood)

    # --- the account

    def _spammer(self, whom: str, _: float) -> None:
        """Telegram refuses a message as it takes the account for a spammer."""
        self.note("peer_flood", "telegram", 0, whom)
        self.at_edges.refuse_as_spam(whom)

    # --- what a store lacks

    @property
    def is_under_way(self) -> bool:
        """Whether an emptied store has not been taken up yet, or a backup has not been restored."""
        return self.backups.pending > 0 or self.at_nats.is_emptied

    def disturbances(self) -> list[Disturbance]:
        """All of them; they may still go on."""
        return [*self.noted, *self.at_nats.emptied()]

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

    def note(self, what: str, whom: str, seconds: float, account: str = "") -> None:
        """What happens to a bot concerns all who have connected it."""
        now, alone = self.world.loop.time(), "" if process_of(account) == BUSINESS else account
        self.noted.append(Disturbance(what, whom, now, now + seconds, alone))

    def _note_flood(self, whom: str, seconds: float) -> None:
        self.note("flood", "telegram", seconds, whom)
        self.floods.append(Flood("" if process_of(whom) == BUSINESS else whom, seconds))


def kind_of(process: str) -> str:
    """Return the kind of a process by its name, as the judge knows it."""
    return "generate" if process in ("generate-1", "generate-2") else process
