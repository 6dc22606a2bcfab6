"""What a question over RabbitMQ costs the bridge and RabbitMQ: out to workers, and in from requesters."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from benchmarks.capacity import usage
from benchmarks.path import QUESTION, Trip, edge, functions, load
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess, running
from events.jetstream.connection import connect
from events.runtime.clock import SystemClock
from tests.rabbitmq_node import RabbitMQNode

IN_FLIGHT = 16
WARM_UP, QUESTIONS = 100, 1_500
IN_QUEUE, OUT_QUEUE = "questions", "timokha.requests"

Figures = dict[str, object]


async def measure(directory: Path) -> Figures:
    """`out`: from JetStream to a worker on RabbitMQ and back; `in`: from a requester on RabbitMQ and back."""
    await asyncio.to_thread(directory.mkdir)
    async with (
        EmbeddedServer(directory / "nats") as nats,
        RabbitMQNode(directory / "rabbitmq", clock=SystemClock()) as rabbitmq,
    ):
        urls = {"NATS_URL": nats.url, "RABBITMQ_URL": rabbitmq.url}
        return {
            **await _measured("out", directory / "out", urls, rabbitmq),
            **await _measured("in", directory / "in", urls, rabbitmq),
        }


async def _measured(direction: str, directory: Path, urls: Mapping[str, str], rabbitmq: RabbitMQNode) -> Figures:
    await asyncio.to_thread(directory.mkdir)
    asking = {"out": _asking_out, "in": _asking_in}[direction]
    bridge = CommandProcess("bridge", directory, {**urls, **BRIDGES[direction]})
    async with asking(directory, urls, bridge) as ask:
        tell(f"over the bridge, {direction}, warming up")
        await load(ask, in_flight=IN_FLIGHT, count=WARM_UP)
        tell(f"over the bridge, {direction}")
        pids = {"bridge": bridge.pid, "rabbitmq": rabbitmq.pid}
        before = usage.of_all(pids)
        measured = await load(ask, in_flight=IN_FLIGHT, count=QUESTIONS)
        used = usage.since(before, pids)
        return {
            f"{direction}_per_second": round(measured.per_second),
            f"{direction}_cpu_ms": round(1000 * used["bridge"].cpu / QUESTIONS, 3),
            f"{direction}_rabbitmq_cpu_ms": round(1000 * used["rabbitmq"].cpu / QUESTIONS, 3),
            f"{direction}_memory_mib": round(usage.private_mib(bridge.pid), 1),
        }


BRIDGES = {
    "out": {"BRIDGE_PREFETCH": str(IN_FLIGHT)},
    "in": {"BRIDGE_DIRECTION": "in", "BRIDGE_CODEC": "original", "BRIDGE_REQUEST_QUEUE": IN_QUEUE},
}
ECHO = {"GENERATE_ENGINE": "echo", "GENERATE_SLOTS": str(IN_FLIGHT)}


@asynccontextmanager
async def _asking_out(directory: Path, urls: Mapping[str, str], bridge: CommandProcess) -> AsyncIterator[Trip]:
    worker = {**ECHO, "GENERATE_TRIGGER": "rabbitmq", "RABBITMQ_URL": urls["RABBITMQ_URL"]}
    async with (
        connect(urls["NATS_URL"], name="bench") as js,
        edge(js) as asking,
        functions(directory, urls["NATS_URL"], worker),
        running(bridge),
    ):
        yield asking.ask


@asynccontextmanager
async def _asking_in(directory: Path, urls: Mapping[str, str], bridge: CommandProcess) -> AsyncIterator[Trip]:
    async with (
        functions(directory, urls["NATS_URL"], ECHO),
        running(bridge),
        await aio_pika.connect_robust(urls["RABBITMQ_URL"]) as connection,
    ):
        requester = await _Requester.open(connection)
        yield requester.ask


class _Requester:
    """The original's bot as RabbitMQ sees it."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, callback: str) -> None:
        self._channel = channel
        self._callback = callback
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @classmethod
    async def open(cls, connection: aio_pika.abc.AbstractConnection) -> "_Requester":
        channel = await connection.channel()
        callback = await channel.declare_queue(exclusive=True)
        # As the original declares it; whichever of us comes first.
        await channel.declare_queue(IN_QUEUE, durable=False)
        made = cls(channel, callback.name)
        await callback.consume(made._take, no_ack=True)
        return made

    async def ask(self) -> None:
        number = str(uuid.uuid4())
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        request = aio_pika.Message(
            f"{QUESTION}{number}".encode(), content_type="text/plain", correlation_id=number, reply_to=self._callback
        )
        await self._channel.default_exchange.publish(request, routing_key=IN_QUEUE)
        async with asyncio.timeout(60):
            await answer

    async def _take(self, message: AbstractIncomingMessage) -> None:
        if answer := self._waiting.pop(message.correlation_id or "", None):
            answer.set_result(None)
