"""Every implementation of the transport, each behind the same two fixtures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from nats.js import JetStreamContext
from pydantic import SecretStr

from events import subjects
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.memory import MemoryLog, MemoryRecords
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.rabbitmq.sender import RabbitMQPublisher
from events.rabbitmq.subscription import RabbitMQSubscription
from events.records import Records
from events.runtime.clock import SystemClock
from events.transport import Channel, Log, Publisher, Subscription


@dataclass
class Transport:
    """A publisher and a way to subscribe to REQUESTS with a lease of half a second."""

    publisher: Publisher
    subscribe: Callable[[], Awaitable[Subscription]]


LEASE = timedelta(seconds=0.5)


@pytest.fixture
def memory_transport() -> Transport:
    log = MemoryLog(clock=SystemClock())

    async def subscribe() -> Subscription:
        return log.subscribe(Channel.REQUESTS, "generate", lease=LEASE)

    return Transport(log, subscribe)


@pytest.fixture
async def jetstream_transport(js: JetStreamContext) -> Transport:
    config = (await js.consumer_info("REQUESTS", subjects.GENERATE_CONSUMER)).config
    await js.add_consumer("REQUESTS", config.evolve(ack_wait=LEASE.total_seconds()))

    async def subscribe() -> Subscription:
        return await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random())

    return Transport(JetStreamLog(js), subscribe)


@pytest.fixture
async def rabbitmq_transport(rabbitmq_url: str) -> AsyncIterator[Transport]:
    async with connect(SecretStr(rabbitmq_url), name="test", clock=SystemClock()) as broker:
        await topology.ensure(broker.consuming)

        async def subscribe() -> Subscription:
            return await RabbitMQSubscription.open(broker, slots=2, lease=LEASE)

        yield Transport(RabbitMQPublisher(broker.sender), subscribe)


@pytest.fixture(params=["memory", "jetstream", "rabbitmq"])
def transport(request: pytest.FixtureRequest) -> Transport:
    return request.getfixturevalue(f"{request.param}_transport")


@pytest.fixture(params=["memory", "jetstream"])
def log(request: pytest.FixtureRequest) -> Log:
    return MemoryLog(clock=SystemClock()) if request.param == "memory" else JetStreamLog(request.getfixturevalue("js"))


@pytest.fixture
async def jetstream_records(js: JetStreamContext) -> Records:
    return await JetStreamRecords.open(js, subjects.CHATS_BUCKET)


@pytest.fixture(params=["memory", "jetstream"])
def records(request: pytest.FixtureRequest) -> Records:
    return MemoryRecords() if request.param == "memory" else request.getfixturevalue("jetstream_records")
