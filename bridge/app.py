"""`timokha bridge`: the composition root."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from random import Random

import structlog

from bridge.ends import Parts, Run, inward, needs, outward
from bridge.settings import BridgeSettings, CodecName
from events.health.keeping import Health, kept
from events.jetstream.connection import connect as connect_jetstream
from events.jetstream.topology import Topology
from events.jetstream.upkeep import keep_topology, trouble
from events.rabbitmq import topology
from events.rabbitmq.connection import connect as connect_rabbitmq
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import beside, together, unless
from observability.telemetry import Telemetry

log = structlog.get_logger(__name__)


async def main(settings: BridgeSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Carry requests and replies across until `stop` is set."""
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(kept(settings.health_file, stop, clock=SystemClock()))
        run = await unless(stop, _open(settings, telemetry, stack, health))
        if run:
            log.info("bridge.ready", inbound=settings.inbound, outbound=settings.outbound, codec=settings.codec.value)
            await run(stop)


async def _open(settings: BridgeSettings, telemetry: Telemetry, stack: AsyncExitStack, health: Health) -> Run:
    """Everything that runs, connected; closed by `stack`. Raises TransportError."""
    clock, random = SystemClock(), Random()  # noqa: S311 - jitter, not a secret
    health.waits("it connects to its brokers")
    js = await stack.enter_async_context(
        connect_jetstream(settings.nats_url, name="bridge", access=settings.nats_access)
    )
    broker = await stack.enter_async_context(connect_rabbitmq(settings.rabbitmq_url, name="bridge", clock=clock))
    made = Topology(js, retrying=Retrying(clock, random))
    ensure = needs(settings, made)
    await ensure()
    if settings.codec is CodecName.EVENTS:
        await topology.ensure(broker.consuming)
        broker.upkeep.keep("our queues", topology.kept(broker.consuming))
    parts = Parts(js, broker, telemetry, clock, random)
    runs: list[Run] = []
    if settings.outbound:
        runs.append(await outward(settings.outbound, settings, parts))
    if settings.inbound:
        runs.append(await inward(settings.inbound, settings, parts))

    async def run(stop: asyncio.Event) -> None:
        health.answers(partial(trouble, made), broker.trouble)
        kept = (keep_topology(made, ensure, clock=clock), broker.upkeep.failure())
        await beside(together(*(each(stop) for each in runs)), *kept)

    return run
