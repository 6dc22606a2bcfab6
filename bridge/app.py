"""`timokha bridge`: wire up a bridge between JetStream and RabbitMQ, and run it."""

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
from events.jetstream.upkeep import connection_problem, keep_topology
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.rabbitmq.receiver import Receiver
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import run_all, run_with_helpers, until_stopped
from events.transport import ANSWERING, Channel
from functions.worker.loop import Limits, Worker, reply_lookup
from observability.telemetry import Telemetry

MAX_IN_FLIGHT = 1024
"""Upper limit, however large the pool on RabbitMQ is."""

HANDBACK = timedelta(seconds=10)
"""Before requests in flight are redelivered after a shutdown: the bridge may restart and relay their replies."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What both directions need."""

    js: JetStream
    broker: Broker
    telemetry: Telemetry
    clock: Clock
    random: Random

    @property
    def retrying(self) -> Retrying:
        return Retrying(self.clock, self.random)


Run = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def topology_setup(settings: BridgeSettings, streams: Topology) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a function that creates what the bridge needs on JetStream. It raises TransportError."""

    async def ensure() -> None:
        await streams.ensure_streams(ANSWERING)
        if settings.outbound:
            await streams.ensure_generate_consumer()
            await streams.ensure_bridge()
        if settings.inbound:
            await streams.ensure_edge(subjects.RABBITMQ_ACCOUNT)

    return ensure


async def open_outbound(name: str, settings: BridgeSettings, deps: Dependencies) -> Run:
    """Connect JetStream's shared pool to workers on the RabbitMQ queue `name`. Raises TransportError."""
    js, broker = deps.js, deps.broker
    codec, events = CODECS[settings.codec], JetStreamLog(js)
    queue = await topology.adopt(broker.consuming, codec.queue(name))
    outbound = Outbound(
        queue=queue,
        codec=codec,
        sender=broker.sender,
        events=events,
        sent_requests=SentRequests(await JetStreamRecords.open(js, subjects.BRIDGE_BUCKET, retrying=deps.retrying)),
        is_answered=reply_lookup(events),
        telemetry=deps.telemetry,
        clock=deps.clock,
        random=deps.random,
    )
    replies = await Receiver.open(broker, codec.replies, prefetch=PREFETCH)
    pool = WorkerPool(
        broker,
        queue,
        codec.replies,
        prefetch=settings.prefetch,
        on_lost=outbound.awaited.on_workers_lost,
        retrying=deps.retrying,
    )
    await pool.measure()
    worker = Worker(
        outbound.handle,
        subscription=await JetStreamSubscription.bind(
            js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=deps.random
        ),
        publisher=events,
        is_answered=outbound.is_answered,
        source=SOURCE,
        limits=Limits(MAX_IN_FLIGHT, settings.attempts, settings.grace, HANDBACK),
        telemetry=deps.telemetry,
        clock=deps.clock,
        random=deps.random,
        slots=lambda: min(pool.size, MAX_IN_FLIGHT),
    )

    consumers = [QueueConsumer(replies, outbound, deps.retrying), *await _open_dead_letters(settings, deps)]

    async def run(stop: asyncio.Event) -> None:
        # Consume replies until the worker awaits none.
        drained = asyncio.Event()

        async def work() -> None:
            await worker.run(stop)
            drained.set()

        async with listen_for_events(js, Channel.REPLIES, outbound.awaited.on_published):
            await run_with_helpers(run_all(work(), *(consumer.run(drained) for consumer in consumers)), pool.watch())

    return run


async def open_inbound(name: str, settings: BridgeSettings, deps: Dependencies) -> Run:
    """Connect requesters on the RabbitMQ queue `name` to JetStream. Raises TransportError."""
    js, broker = deps.js, deps.broker
    codec = CODECS[settings.codec]
    requests = InboundRequests(name, codec, JetStreamLog(js), settings.deadline, deps.telemetry, deps.clock)
    group = subjects.edge_consumer(subjects.RABBITMQ_ACCOUNT)
    replies = await JetStreamSubscription.bind(js, Channel.REPLIES, group, random=deps.random)
    returned = InboundReplies(replies, codec, broker.sender, deps.telemetry, deps.retrying)
    queue = await topology.adopt(broker.consuming, codec.queue(name))
    receiver = await Receiver.open(broker, queue, prefetch=PREFETCH)

    consumers = [QueueConsumer(receiver, requests, deps.retrying)]
    if not settings.outbound:
        consumers += await _open_dead_letters(settings, deps)

    async def run(stop: asyncio.Event) -> None:
        await run_all(*(consumer.run(stop) for consumer in consumers), returned.run(stop))

    return run


async def _open_dead_letters(settings: BridgeSettings, deps: Dependencies) -> Sequence[QueueConsumer]:
    """Return a consumer of RabbitMQ's dead letters: none with the original's codec. Raises TransportError."""
    if settings.codec is not CodecName.EVENTS:
        return ()
    dead = await Receiver.open(deps.broker, topology.DEADLETTERS, prefetch=PREFETCH)
    return [QueueConsumer(dead, DeadLetters(JetStreamLog(deps.js), deps.telemetry, deps.clock), deps.retrying)]


async def main(settings: BridgeSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Relay requests and replies until `stop` is set."""
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(health_file(settings.health_file, stop, clock=SystemClock()))
        run = await until_stopped(stop, _open(settings, telemetry, stack, health))
        if run:
            log.info("bridge.ready", inbound=settings.inbound, outbound=settings.outbound, codec=settings.codec.value)
            await run(stop)


async def _open(settings: BridgeSettings, telemetry: Telemetry, stack: AsyncExitStack, health: Health) -> Run:
    """Connect to both brokers; `stack` closes the connections. Raises TransportError."""
    clock, random = SystemClock(), Random()  # noqa: S311 - jitter, not a secret
    health.not_ready("it connects to its brokers")
    js = await stack.enter_async_context(
        connect_jetstream(settings.nats_url, name="bridge", access=settings.nats_access)
    )
    broker = await stack.enter_async_context(connect_rabbitmq(settings.rabbitmq_url, name="bridge", clock=clock))
    deps = Dependencies(js, broker, telemetry, clock, random)
    streams = Topology(js, retrying=deps.retrying)
    ensure = topology_setup(settings, streams)
    await ensure()
    if settings.codec is CodecName.EVENTS:
        await topology.ensure_patiently(broker.consuming, retrying=deps.retrying)
        broker.upkeep.keep("our queues", partial(topology.restore, broker.consuming))
    runs: list[Run] = []
    if settings.outbound:
        runs.append(await open_outbound(settings.outbound, settings, deps))
    if settings.inbound:
        runs.append(await open_inbound(settings.inbound, settings, deps))

    async def run(stop: asyncio.Event) -> None:
        health.ready_unless(partial(connection_problem, streams), broker.problem)
        upkeep = (keep_topology(streams, ensure, clock=clock), broker.upkeep.failure())
        await run_with_helpers(run_all(*(each(stop) for each in runs)), *upkeep)

    return run
