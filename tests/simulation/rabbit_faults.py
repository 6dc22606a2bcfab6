"""What goes wrong at RabbitMQ in the very moment in which a client asks it for something, and what it gives up.

The blows of the family `rabbit` in `rare_blows.py`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from pamqp.base import Frame
from pamqp.commands import Basic, Confirm
from pamqp.commands import Channel as Channels
from pamqp.commands import Queue as QueueMethods

from events.rabbitmq import topology
from tests.promises.lines.disturbances import Spoilt
from tests.promises.spoiling import DELAYED, GIVEN_UP
from tests.simulation.rabbitmq.connection import Connection
from tests.simulation.rabbitmq.errors import ChannelFault
from tests.simulation.rabbitmq.queues import Delivery, Queue
from tests.simulation.requests import EVENTS, QUEUES

if TYPE_CHECKING:
    from tests.simulation.blows import Blows

METHODS: dict[type[Frame], int] = {
    QueueMethods.Declare: 4,
    Basic.Consume: 3,
    Basic.Cancel: 2,
    Basic.Qos: 1,
    Basic.Publish: 4,
    Basic.Ack: 3,
    Basic.Reject: 2,
    Channels.Open: 2,
    Channels.Close: 3,
    Confirm.Select: 1,
}
"""At which it happens, and how often, compared with each other."""
ACTS = ("cut", "cut", "frozen", "channel_closed", "channel_closed", "killed")
OURS = (" publishes", " consumes")
"""How the names of our connections end."""
AIMS = 15.0
"""Seconds until it happens, at most; likewise of waiting for a message at a consumer:"""
WAITS = 30.0
LOOK = 0.02
IN_WORK = (0.2, 2.5)
"""Seconds after which a process is told to end."""
DOWN = 0.2
"""The size of a blow after which a process starts again at once."""
RESHAPED = {"x-max-length": 1000}
"""Arguments with which nobody of ours declares a queue."""


@dataclass(eq=False)
class RabbitFaults:
    """`spoilt`: the requests that were given up."""

    blows: "Blows"
    spoilt: list[Spoilt] = field(default_factory=list)
    _doing: "dict[asyncio.Task[None], None]" = field(default_factory=dict)

    def strike(self, what: str, whom: str, size: float) -> None:
        """`size` also decides by chance what exactly happens, so that it does in a smaller plan as well."""
        getattr(self, f"_{what}")(size, Random(f"{what} {whom} {size}"))

    def _alone(self, size: float, _: Random) -> None:
        """For a while all requests go over RabbitMQ."""
        for name in ("generate-1", "generate-2"):
            self.blows.strike_one("process_stopped", name, 1 + size)

    # --- in the moment of a method

    def _aimed(self, size: float, chance: Random) -> None:
        """A queue may go just before, so that somebody declares it and consumes from it anew."""
        (method,) = chance.choices(list(METHODS), list(METHODS.values()))
        self._aim(method, chance.choice(ACTS), size)
        known = sorted(self._store.queues)
        if known and method is not Basic.Publish and chance.random() < 0.5:
            self._delete(chance.choice(known))

    def _stopping(self, size: float, chance: Random) -> None:
        """A process is told to end while RabbitMQ does not answer what it was asked."""
        act = chance.choice(("frozen", "killed"))
        self._aim(chance.choice((Basic.Publish, Basic.Publish, Basic.Ack, QueueMethods.Declare)), act, 0.5 + size / 2)
        names = [name for name in self.blows.world.processes if name in ("bridge", "bridge-in", "generate-rabbitmq")]
        self._later(chance.uniform(*IN_WORK), self._stop, chance.choice(names))

    def _stopping_anew(self, size: float, chance: Random) -> None:
        """Likewise while it makes its queue and consumers anew."""
        known = [name for name in (topology.REQUESTS.name, *QUEUES.values()) if name in self._store.queues]
        self._aim(chance.choice((QueueMethods.Declare, Basic.Consume)), "frozen", 0.5 + size / 2)
        for queue in known[:1] if chance.random() < 0.5 else known[-1:]:
            self._delete(queue)
            name = "bridge-in" if queue in QUEUES.values() else "generate-rabbitmq"
            self._later(chance.uniform(*IN_WORK), self._stop, name)

    def _made_anew(self, _: float, chance: Random) -> None:
        """The connection is lost, or a channel, when the queue is there again and its consumers are not."""
        known = [name for name in (topology.REQUESTS.name, *QUEUES.values()) if name in self._store.queues]
        closes = iter([*[False] * chance.randrange(5), True])
        act = self._be_cut if chance.random() < 0.7 else self._be_channel_closed
        self._server.aimed.at(
            Channels.Close,
            lambda connection: connection.name.endswith(OURS[1]) and next(closes, False),
            lambda connection, channel: act(connection, channel, 0),
        )
        for name in known:
            self._delete(name)

    def _handed_back(self, _: float, __: Random) -> None:
        """Workers end with a request in work, and get another one while they say goodbye."""
        self.blows.at_brokers.strike("broker_engine_slow", 1.0)
        self._alone(0, Random(0))
        self._do(self._end_when_one_is_at_work())

    async def _end_when_one_is_at_work(self) -> None:
        loop = self.blows.world.loop
        until = loop.time() + AIMS
        while loop.time() < until:
            queue = self._store.queues.get(topology.REQUESTS.name)
            if self._server.is_at_work and queue and queue.unsettled:
                self._server.aimed.at(Basic.Cancel, lambda _: True, lambda *_: self._requeue())
                self._stop("generate-rabbitmq")
                return
            await asyncio.sleep(LOOK)

    def _requeue(self) -> None:
        """What is at work then has been delivered once more for nothing, which a request may be only a few times."""
        self.blows.note("requeued", "rabbitmq", 0)
        queue = self._store.queues.get(topology.REQUESTS.name)
        self.spoilt += [Spoilt(_key(one), DELAYED) for one in (queue.unsettled if queue else ())]
        self._server.requeue_early(topology.REQUESTS.name)

    def _aim(self, method: type[Frame], act: str, size: float) -> None:
        def strike(connection: Connection, channel: int) -> None:
            getattr(self, f"_be_{act}")(connection, channel, size)

        take_back = self._server.aimed.at(method, lambda connection: connection.name.endswith(OURS), strike)
        self._later(AIMS, take_back)

    def _be_cut(self, connection: Connection, _: int, __: float) -> None:
        self.blows.note("cut", "rabbitmq", 0)
        connection.cut()

    def _be_frozen(self, _: Connection, __: int, size: float) -> None:
        self.blows.at_brokers.strike("broker_frozen", size)

    def _be_channel_closed(self, connection: Connection, number: int, _: float) -> None:
        self.blows.note("channels_closed", "rabbitmq", 0)
        channel = connection.channels.get(number)
        if channel and not channel.closing:
            channel.close(ChannelFault(541, "closed by a fault"))

    def _be_killed(self, _: Connection, __: int, size: float) -> None:
        self.blows.strike_one("rabbitmq_killed", "", size)

    # --- queues

    def _reshaped(self, _: float, chance: Random) -> None:
        """Somebody declares a program's queue in his own way, and deletes it a while later."""
        for name in QUEUES.values():
            if name in self._store.queues:
                self._delete(name)
                self._store.add_queue(name, durable=True, auto_delete=False, owner=None, arguments=RESHAPED)
                self._later(chance.uniform(1, 8), self._delete, name)

    def _given_up(self, _: float, chance: Random) -> None:
        """RabbitMQ gives up a message at its consumer, as after too many deliveries, perhaps while NATS is away."""
        away = chance.choice(("", "nats_frozen", "nats_killed"))
        self._do(self._when_one_is_at_work(away, chance.uniform(0.1, 0.5)))

    async def _when_one_is_at_work(self, away: str, size: float) -> None:
        loop = self.blows.world.loop
        until = loop.time() + WAITS
        while loop.time() < until:
            if self._server.is_at_work and (busy := self._busy()):
                if away:
                    self.blows.strike_one(away, "", size)
                self._give_up(busy)
                return
            await asyncio.sleep(LOOK)

    def _busy(self) -> Queue | None:
        """A queue of requests that has one at a consumer."""
        known = [self._store.queues.get(name) for name in (topology.REQUESTS.name, QUEUES[EVENTS])]
        return next((one for one in known if one and one.unsettled), None)

    def _give_up(self, queue: Queue) -> None:
        delivery = next(iter(queue.unsettled))
        self.blows.note("given_up", queue.name, 0)
        self.spoilt.append(Spoilt(_key(delivery), GIVEN_UP))
        queue.discard(delivery, failed=True)

    def _delete(self, name: str) -> None:
        if name in self._store.queues:
            self.blows.note("queue_lost", name, 0)
            self._server.delete_queue(name)

    # ---

    @property
    def _server(self) -> Any:
        return self.blows.world.rabbitmq

    @property
    def _store(self) -> Any:
        return self._server.store

    def _stop(self, name: str) -> None:
        if name in self.blows.world.processes:
            self.blows.strike_one("process_stopped", name, DOWN)

    def _later(self, seconds: float, act: Callable[..., object], *given: str) -> None:
        self.blows.world.loop.call_later(seconds, act, *given)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.blows.world.loop.create_task(work)
        self._doing[task] = None
        task.add_done_callback(self._doing.pop)


def _key(delivery: Delivery) -> str:
    """Return what its sender calls it: our bridges by the request's id."""
    return delivery.message.content.properties().correlation_id or ""
