"""The processes as a person would start them, real brokers between them, and an edge that counts what it gets."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from nats.js import JetStreamContext
from pydantic import SecretStr

from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess
from events import subjects
from events.errors import TransportError
from events.event import Event
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.rabbitmq import topology as queues
from events.rabbitmq.connection import Broker
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import EventData
from events.transport import Channel
from tests.rabbitmq_node import RabbitMQNode, installed
from tests.simulation.rabbitmq.node import SimulatedNode

BRIDGE = "test_bridge_"
"""How modules are called that describe what the bridge does, whatever RabbitMQ is made of."""

ACCOUNT = "1"
SECOND = timedelta(seconds=1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the bridge's tests against the simulated RabbitMQ too: in the long suite, or where there is no other."""
    chosen = any("rabbitmq_kind" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if BRIDGE in metafunc.module.__name__ and "rabbitmq_kind" in metafunc.fixturenames and not chosen:
        simulated = pytest.param("simulated", marks=[pytest.mark.slow] if installed() else [])
        metafunc.parametrize("rabbitmq_kind", ["real", simulated], indirect=True)


class Edge:
    """Publishes requests of account 1 and hears the replies, as the userbot does.

    `seen` counts how many different replies each request got: one that is only delivered twice is one.
    """

    def __init__(self, js: JetStreamContext, make_event) -> None:
        self._js = js
        self._log = JetStreamLog(js)
        self._make_event = make_event
        self._hearing: asyncio.Task[None] | None = None
        self.replies: dict[str, Event] = {}
        self.seen: Counter[str] = Counter()

    async def open(self) -> None:
        await Topology(self._js, retrying=Retrying(SystemClock(), Random())).ensure_all(accounts=[ACCOUNT])
        consumer = await JetStreamSubscription.bind(
            self._js, Channel.REPLIES, subjects.edge_consumer(ACCOUNT), random=Random()
        )
        self._hearing = asyncio.create_task(self._hear(consumer))

    async def close(self) -> None:
        if self._hearing:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)

    def event(self, request_id: str, text: str | None = None, *, seconds: float = 120, headers=None) -> Event:
        return self._make_event(request_id, text or f"вопрос {request_id}", seconds=seconds, headers=headers)

    async def ask(self, numbers: Iterable[int], **event) -> list[str]:
        """Publish requests `1.2.<number>.0` that ask their own number."""
        ids = [f"{ACCOUNT}.2.{number}.0" for number in numbers]
        for request_id in ids:
            await self.publish(self.event(request_id, **event))
        return ids

    async def publish(self, event: Event) -> None:
        """Again until it is confirmed."""
        await until(lambda: self._published(event), within=60)

    async def answers(self, ids: Iterable[str], within: float = 60) -> dict[str, EventData]:
        """All of them, or a failure that says how many came."""
        wanted = set(ids)

        async def complete() -> bool:
            return wanted <= self.replies.keys()

        try:
            await until(complete, within)
        except TimeoutError:
            missing = sorted(wanted - self.replies.keys())
            pytest.fail(f"{len(missing)} of {len(wanted)} have no reply: {missing[:20]}")
        return {request_id: self.replies[request_id].data() for request_id in wanted}

    async def stored(self) -> int:
        """How many replies JetStream has."""
        return (await self._js.stream_info("REPLIES")).state.messages

    async def _published(self, event: Event) -> bool:
        try:
            await self._log.publish(Channel.REQUESTS, event)
        except TransportError:
            return False
        return True

    def _see(self, event: Event) -> None:
        known = self.replies.get(event.subject)
        self.replies[event.subject] = event
        self.seen[event.subject] += known is None or known.body != event.body

    async def _hear(self, consumer: JetStreamSubscription) -> None:
        while True:
            for delivery in await consumer.fetch(64, SECOND):
                self._see(delivery.event)
                with suppress(TransportError):
                    await delivery.ack()


async def until(true: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    """Poll until it is so."""
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110 - other processes have no event for us
            await asyncio.sleep(0.05)


class World:
    """Two brokers, an edge, and processes that are stopped at the end."""

    def __init__(self, directory: Path, nats: EmbeddedServer, rabbitmq: str, edge: Edge, stack: AsyncExitStack) -> None:
        self.nats = nats
        self.rabbitmq = rabbitmq
        self.edge = edge
        self._directory = directory
        self._stack = stack
        self._count = 0

    async def start(self, name: str, *, ready: bool = True, **settings: str) -> CommandProcess:
        """`timokha NAME` with these settings; returns once it has said that it is ready."""
        self._count += 1
        directory = self._directory / f"{self._count}-{name}"
        directory.mkdir(parents=True)
        process = CommandProcess(
            name,
            directory,
            {
                "NATS_URL": self.nats.url,
                "RABBITMQ_URL": self.rabbitmq,
                "GENERATE_ENGINE": "echo",
                "OTEL_SDK_DISABLED": "true",
                **settings,
            },
        )
        self._stack.push_async_callback(process.kill)
        await process.start()
        if ready:
            await until_logged(process, f"{name}.ready")
        return process

    async def bridge(self, **settings: str) -> CommandProcess:
        return await self.start("bridge", **settings)

    async def worker(self, trigger: str = "rabbitmq", delay: float = 0.0, **settings: str) -> CommandProcess:
        return await self.start("generate", GENERATE_TRIGGER=trigger, GENERATE_ECHO_DELAY=str(delay), **settings)

    async def run(self, name: str, says: str) -> None:
        """`timokha NAME` until it has said so."""
        await until_logged(await self.start(name, ready=False), says)

    async def program(self, name: str, *arguments: str, rabbitmq: str | None = None) -> asyncio.subprocess.Process:
        """A test program of this folder, with the broker's address as its first argument."""
        self._count += 1
        log = (self._directory / f"{self._count}-{name}.log").open("ab")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).parent / name),
            rabbitmq or self.rabbitmq,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        log.close()

        async def end() -> None:
            if process.returncode is None:
                process.kill()
            await process.wait()

        self._stack.push_async_callback(end)
        return process


def logged(process: CommandProcess) -> str:
    return process.log.read_text(errors="replace") if process.log.exists() else ""


async def until_logged(process: CommandProcess, text: str, within: float = 60) -> None:
    async def there() -> bool:
        return text in logged(process)

    try:
        await until(there, within)
    except TimeoutError:
        pytest.fail(f"never logged {text!r}; the log:\n{logged(process)[-3000:]}")


@asynccontextmanager
async def _world(directory: Path, nats: EmbeddedServer, rabbitmq: str, make_event) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        js = await stack.enter_async_context(connect(nats.url, name="edge"))
        edge = Edge(js, make_event)
        await edge.open()
        stack.push_async_callback(edge.close)
        yield World(directory, nats, rabbitmq, edge, stack)


@pytest.fixture
async def world(tmp_path: Path, nats_server: EmbeddedServer, rabbitmq_url: str, make_event) -> AsyncIterator[World]:
    async with _world(tmp_path, nats_server, rabbitmq_url, make_event) as world:
        yield world


@pytest.fixture
async def fragile_world(
    tmp_path: Path, nats_server: EmbeddedServer, own_rabbitmq: RabbitMQNode | SimulatedNode, make_event
) -> AsyncIterator[World]:
    """With a RabbitMQ node of its own, `own_rabbitmq`, that may be killed."""
    async with _world(tmp_path, nats_server, own_rabbitmq.url, make_event) as world:
        yield world


@pytest.fixture
async def make_world(tmp_path: Path, nats_server: EmbeddedServer, make_event) -> AsyncIterator[Callable]:
    """`await make_world(rabbitmq_url)`: with a RabbitMQ that the test has set up."""
    async with AsyncExitStack() as stack:

        async def make(rabbitmq: str) -> World:
            return await stack.enter_async_context(_world(tmp_path, nats_server, rabbitmq, make_event))

        yield make


@pytest.fixture
async def broker(world: World) -> AsyncIterator[Broker]:
    """The test's own connection to RabbitMQ."""
    async with connect_rabbitmq(SecretStr(world.rabbitmq), name="test", clock=SystemClock()) as broker:
        yield broker


@pytest.fixture
def said():
    """`said(process)`: what it has logged."""
    return logged


@pytest.fixture
def wait_for_log():
    """`await wait_for_log(process, text)`"""
    return until_logged


@pytest.fixture
def poll():
    """`await poll(async_predicate, within=…)`"""
    return until


@pytest.fixture
def depth(broker: Broker):
    """`await depth(name)`: messages ready in a queue of RabbitMQ."""

    async def count(name: str) -> int:
        async with queues.open_channel(broker.consuming) as channel:
            queue = await queues.declare(channel, queues.Queue(name, passive=True))
            return queue.declaration_result.message_count or 0

    return count
