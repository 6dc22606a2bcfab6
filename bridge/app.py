"""`timokha bridge`: the composition root."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import structlog

from bridge.codecs import CODECS, SOURCE
from bridge.deadletters import DeadLetters
from bridge.inbound import InboundReplies, InboundRequests
from bridge.outbound import Outbound
from bridge.queue_consumer import PREFETCH, QueueConsumer
from bridge.sent_requests import SentRequests
from bridge.settings import BridgeSettings, CodecName
from bridge.worker_pool import WorkerPool
from events import subjects
from events.health.keeping import Health, health_file
from events.jetstream.connection import JetStream
from events.jetstream.connection import connect as connect_jetstream
from events.jetstream.core_nats import listen_for_events
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.jetstream.upkeep import keep_topology, trouble
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.rabbitmq.receiver import Receiver
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import beside, together, unless
from events.transport import Channel
from functions.worker.loop import Limits, Worker, reply_lookup
from observability.telemetry import Telemetry

MAX_IN_FLIGHT = 1024
"""However large the pool on RabbitMQ is."""

HANDBACK = timedelta(seconds=10)
"""What a stopping bridge still waits for comes to somebody else only then: a restarted one may know the answer."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What both directions are made of."""

    js: JetStream
    broker: Broker
    telemetry: Telemetry
    clock: Clock
    random: Random

    @property
    def retrying(self) -> Retrying:
        return Retrying(self.clock, self.random)


Run = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def needs(settings: BridgeSettings, made: Topology) -> Callable[[], Coroutine[Any, Any, None]]:
    """What makes what must be on JetStream. Raises TransportError."""

    async def ensure() -> None:
        await made.ensure_streams()
        if settings.outbound:
            await made.ensure_generate_consumer()
            await made.ensure_bridge()
        if settings.inbound:
            await made.ensure_edge(subjects.RABBITMQ_ACCOUNT)

    return ensure


async def outward(name: str, settings: BridgeSettings, parts: Parts) -> Run:
    """From JetStream's shared pool to the RabbitMQ queue `name`. Raises TransportError."""
    js, broker = parts.js, parts.broker
    codec, events = CODECS[settings.codec], JetStreamLog(js)
    queue = await topology.adopt(broker.consuming, codec.queue(name))
    out = Outbound(
        queue=queue,
        codec=codec,
        sender=broker.sender,
        events=events,
        notes=SentRequests(await JetStreamRecords.open(js, subjects.BRIDGE_BUCKET)),
        is_answered=reply_lookup(events),
        telemetry=parts.telemetry,
        clock=parts.clock,
        random=parts.random,
    )
    replies = await Receiver.open(broker, codec.replies, prefetch=PREFETCH)
    pool = WorkerPool(
        broker, queue, codec.replies, prefetch=settings.prefetch, lost=out.waiting.lost, retrying=parts.retrying
    )
    await pool.look()
    worker = Worker(
        out.handle,
        subscription=await JetStreamSubscription.bind(
            js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=parts.random
        ),
        publisher=events,
        is_answered=out.is_answered,
        source=SOURCE,
        limits=Limits(MAX_IN_FLIGHT, settings.attempts, settings.grace, HANDBACK),
        telemetry=parts.telemetry,
        clock=parts.clock,
        random=parts.random,
        slots=lambda: min(pool.size, MAX_IN_FLIGHT),
    )

    taking = [QueueConsumer(replies, out, parts.retrying), *await _dead_letters(settings, parts)]

    async def run(stop: asyncio.Event) -> None:
        # Replies are taken until the worker has nothing left that waits for one.
        drained = asyncio.Event()

        async def work() -> None:
            await worker.run(stop)
            drained.set()

        async with listen_for_events(js, Channel.REPLIES, out.waiting.heard):
            await beside(together(work(), *(pump.run(drained) for pump in taking)), pool.watch())

    return run


async def inward(name: str, settings: BridgeSettings, parts: Parts) -> Run:
    """From the RabbitMQ queue `name` to JetStream, and the replies back. Raises TransportError."""
    js, broker = parts.js, parts.broker
    codec = CODECS[settings.codec]
    questions = InboundRequests(name, codec, JetStreamLog(js), settings.deadline, parts.telemetry, parts.clock)
    consumer = subjects.edge_consumer(subjects.RABBITMQ_ACCOUNT)
    replies = await JetStreamSubscription.bind(js, Channel.REPLIES, consumer, random=parts.random)
    answers = InboundReplies(replies, codec, broker.sender, parts.telemetry, parts.retrying)
    queue = await topology.adopt(broker.consuming, codec.queue(name))
    receiver = await Receiver.open(broker, queue, prefetch=PREFETCH)

    pumps = [QueueConsumer(receiver, questions, parts.retrying)]
    if not settings.outbound:
        pumps += await _dead_letters(settings, parts)

    async def run(stop: asyncio.Event) -> None:
        await together(*(pump.run(stop) for pump in pumps), answers.run(stop))

    return run


async def _dead_letters(settings: BridgeSettings, parts: Parts) -> Sequence[QueueConsumer]:
    """Only our own workers and queues have any; one pump, whichever way the bridge goes. Raises TransportError."""
    if settings.codec is not CodecName.EVENTS:
        return ()
    dead = await Receiver.open(parts.broker, topology.DEADLETTERS, prefetch=PREFETCH)
    return [QueueConsumer(dead, DeadLetters(JetStreamLog(parts.js), parts.telemetry, parts.clock), parts.retrying)]


log = structlog.get_logger(__name__)


async def main(settings: BridgeSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Carry requests and replies across until `stop` is set."""
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(health_file(settings.health_file, stop, clock=SystemClock()))
        run = await unless(stop, _open(settings, telemetry, stack, health))
        if run:
            log.info("bridge.ready", inbound=settings.inbound, outbound=settings.outbound, codec=settings.codec.value)
            await run(stop)


async def _open(settings: BridgeSettings, telemetry: Telemetry, stack: AsyncExitStack, health: Health) -> Run:
    """Everything that runs, connected; closed by `stack`. Raises TransportError."""
    clock, random = SystemClock(), Random()  # noqa: S311 - jitter, not a secret
    health.not_ready("it connects to its brokers")
    js = await stack.enter_async_context(
        connect_jetstream(settings.nats_url, name="bridge", access=settings.nats_access)
    )
    broker = await stack.enter_async_context(connect_rabbitmq(settings.rabbitmq_url, name="bridge", clock=clock))
    made = Topology(js, retrying=Retrying(clock, random))
    ensure = needs(settings, made)
    await ensure()
    if settings.codec is CodecName.EVENTS:
        await topology.ensure(broker.consuming)
        broker.upkeep.keep("our queues", partial(topology.restore, broker.consuming))
    parts = Parts(js, broker, telemetry, clock, random)
    runs: list[Run] = []
    if settings.outbound:
        runs.append(await outward(settings.outbound, settings, parts))
    if settings.inbound:
        runs.append(await inward(settings.inbound, settings, parts))

    async def run(stop: asyncio.Event) -> None:
        health.ready_unless(partial(trouble, made), broker.trouble)
        kept = (keep_topology(made, ensure, clock=clock), broker.upkeep.failure())
        await beside(together(*(each(stop) for each in runs)), *kept)

    return run
