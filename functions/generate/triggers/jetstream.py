"""The jetstream trigger: requests from JetStream's shared consumer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from events import subjects
from events.jetstream.connection import connect
from events.jetstream.core_nats import JetStreamProgress
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.jetstream.upkeep import connection_problem, keep_topology
from events.runtime.retrying import Retrying
from events.transport import ANSWERING, Channel, Subscription
from functions.generate.settings import GenerateSettings
from functions.generate.triggers.trigger import Trigger
from functions.worker.loop import reply_lookup
from observability import names


@asynccontextmanager
async def open_trigger(settings: GenerateSettings, retrying: Retrying) -> AsyncIterator[Trigger]:
    """Connect, and create the streams and the consumer if they are missing. Raises TransportError."""
    async with connect(settings.nats_url, name="generate", access=settings.nats_access) as js:
        topology = Topology(js, retrying=retrying)
        events = JetStreamLog(js)

        async def ensure() -> None:
            await topology.ensure_streams(ANSWERING)
            await topology.ensure_generate_consumer()

        async def subscribe() -> Subscription:
            return await JetStreamSubscription.bind(
                js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=retrying.random
            )

        async def upkeep() -> None:
            await keep_topology(topology, ensure, clock=retrying.clock)

        await ensure()
        yield Trigger(
            names.NATS,
            events,
            reply_lookup(events),
            subscribe,
            upkeep,
            partial(connection_problem, topology),
            JetStreamProgress(js),
        )
