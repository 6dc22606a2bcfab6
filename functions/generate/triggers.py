"""Where a generate function is hosted: on JetStream's shared consumer, or on a queue of RabbitMQ."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from events import subjects
from events.ids import RequestId
from events.jetstream.connection import connect as connect_jetstream
from events.jetstream.core_nats import JetStreamProgress
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.jetstream.upkeep import keep_topology, trouble
from events.runtime.clock import Clock
from events.runtime.retrying import Retrying
from events.transport import Channel, Progress, Publisher, Subscription
from functions.generate.settings import GenerateSettings, Trigger
from functions.worker.loop import reply_lookup
from observability import names


@dataclass(frozen=True, slots=True)
class Host:
    """What a worker needs of its broker. `subscribe` when the engine is ready: from then on requests come.

    Without `progress` nobody can see an answer while it is written. `keep`, beside the work, makes again what has gone;
    it raises TransportError where that can't be done. `trouble` returns what keeps requests from coming now, empty if
    nothing.
    """

    system: str
    publisher: Publisher
    answered: Callable[[RequestId], Awaitable[bool]]
    subscribe: Callable[[], Coroutine[Any, Any, Subscription]]
    keep: Callable[[], Coroutine[Any, Any, None]]
    trouble: Callable[[], str]
    progress: Progress | None = None


def host(settings: GenerateSettings, retrying: Retrying) -> AbstractAsyncContextManager[Host]:
    """The broker that the settings name. Entering raises TransportError."""
    return (
        _rabbitmq(settings, retrying.clock) if settings.trigger is Trigger.RABBITMQ else _jetstream(settings, retrying)
    )


@asynccontextmanager
async def _jetstream(settings: GenerateSettings, retrying: Retrying) -> AsyncIterator[Host]:
    async with connect_jetstream(settings.nats_url, name="generate", access=settings.nats_access) as js:
        topology = Topology(js, retrying=retrying)
        events = JetStreamLog(js)

        async def ensure() -> None:
            await topology.ensure_streams()
            await topology.ensure_generate_consumer()

        async def subscribe() -> Subscription:
            return await JetStreamSubscription.bind(
                js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=retrying.random
            )

        async def keep() -> None:
            await keep_topology(topology, ensure, clock=retrying.clock)

        await ensure()
        yield Host(
            names.NATS,
            events,
            reply_lookup(events),
            subscribe,
            keep,
            partial(trouble, topology),
            JetStreamProgress(js),
        )


@asynccontextmanager
async def _rabbitmq(settings: GenerateSettings, clock: Clock) -> AsyncIterator[Host]:
    from events.rabbitmq import topology  # noqa: PLC0415 - an extra that the other trigger does without
    from events.rabbitmq.connection import connect  # noqa: PLC0415
    from events.rabbitmq.sender import RabbitMQPublisher  # noqa: PLC0415
    from events.rabbitmq.subscription import RabbitMQSubscription  # noqa: PLC0415

    async def subscribe() -> Subscription:
        return await RabbitMQSubscription.open(broker, slots=settings.slots)

    async with connect(settings.rabbitmq_url, name="generate", clock=clock) as broker:
        await topology.ensure(broker.consuming)
        yield Host(
            names.RABBITMQ,
            RabbitMQPublisher(broker.sender),
            _never_answered,
            subscribe,
            broker.upkeep.failure,
            broker.trouble,
        )


async def _never_answered(request_id: RequestId) -> bool:
    """A queue does not know what went through it: a second answer is dropped where the replies are stored."""
    return False
