"""Every implementation of the transport, each behind the same two fixtures.

JetStream is one implementation on two servers: the real one, and the simulated one that must behave like it. So is
RabbitMQ.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from nats.js import JetStreamContext
from pydantic import SecretStr

from cli.demo.nats_server import EmbeddedServer
from events import subjects
from events.jetstream.log import JetStreamLog
from events.jetstream.marks import JetStreamMarks
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.memory import MemoryLog, MemoryMarks, MemoryRecords
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.rabbitmq.sender import RabbitMQPublisher
from events.rabbitmq.subscription import RabbitMQSubscription
from events.records import Marks, Records
from events.runtime.clock import SystemClock
from events.transport import Channel, Log, Publisher, Subscription
from tests.retrying import RETRYING
from tests.simulation.nats.server import NatsServer
from tests.transports.simulated import simulated_nats

SERVERS = ("real", "simulated")
IMPLEMENTATIONS = {
    "transport": ("memory", "jetstream", "rabbitmq"),
    "log": ("memory", "jetstream"),
    "records": ("memory", "jetstream"),
    "marks": ("memory", "jetstream"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a NATS server or RabbitMQ against both of them.

    A test that starts an EmbeddedServer itself is about its configuration, its users, TLS or its files; one that takes
    `real_rabbitmq` or starts a RabbitMQNode is about virtual hosts, rights, TLS or a client that is no AMQP client.
    """
    switches = [name for name in ("nats_kind", "rabbitmq_kind") if name in metafunc.fixturenames]
    for fixture, kinds in IMPLEMENTATIONS.items():
        if fixture in metafunc.fixturenames:
            cases = [(kind, server) for kind in kinds for server in (SERVERS[:1] if kind == "memory" else SERVERS)]
            ids = [kind if kind == "memory" else f"{kind}-{server}" for kind, server in cases]
            values = [(kind, *[server] * len(switches)) for kind, server in cases]
            metafunc.parametrize((fixture, *switches), values, indirect=True, ids=ids)
            return
    for switch in switches:
        metafunc.parametrize(switch, SERVERS, indirect=True)


@pytest.fixture
def nats_kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def nats_server(nats_kind: str, tmp_path: Path) -> AsyncIterator[EmbeddedServer | NatsServer]:
    server = simulated_nats() if nats_kind == "simulated" else EmbeddedServer(tmp_path / "nats")
    async with server:
        yield server


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


@pytest.fixture
def transport(request: pytest.FixtureRequest, nats_kind: str, rabbitmq_kind: str) -> Transport:
    return request.getfixturevalue(f"{request.param}_transport")


@pytest.fixture
def log(request: pytest.FixtureRequest, nats_kind: str) -> Log:
    return MemoryLog(clock=SystemClock()) if request.param == "memory" else JetStreamLog(request.getfixturevalue("js"))


@pytest.fixture
async def jetstream_records(js: JetStreamContext) -> Records:
    return await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING)


@pytest.fixture
def records(request: pytest.FixtureRequest, nats_kind: str) -> Records:
    return MemoryRecords() if request.param == "memory" else request.getfixturevalue("jetstream_records")


@pytest.fixture
def marks(request: pytest.FixtureRequest, nats_kind: str) -> Marks:
    if request.param == "memory":
        return MemoryMarks()
    return JetStreamMarks(request.getfixturevalue("js"), subjects.MARKS_BUCKET)
