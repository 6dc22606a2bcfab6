"""`timokha generate`: the composition root of one generate function."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog
from rich.console import Console

from events import subjects
from events.ids import RequestId
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.transport import Channel, Log
from functions.generate.default_model import prepare_default_model
from functions.generate.engine import Engine
from functions.generate.handler import generate
from functions.generate.settings import EngineName, GenerateSettings
from functions.worker import Limits, Worker
from observability.telemetry import Telemetry

SOURCE = "/timokha/generate"

log = structlog.get_logger(__name__)


async def main(settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    credentials = Path(settings.nats_credentials) if settings.nats_credentials else None
    async with connect(settings.nats_url, name="generate", credentials=credentials) as js:
        topology = Topology(js)
        await topology.ensure_streams()
        await topology.ensure_generate_consumer()
        engine = await open_engine(settings)
        try:
            events = JetStreamLog(js)
            worker = Worker(
                partial(generate, engine=engine, spans=telemetry.spans),
                subscription=await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER),
                publisher=events,
                answered=is_answered(events),
                source=SOURCE,
                limits=Limits(slots=settings.slots, attempts=settings.attempts, grace=settings.grace),
                telemetry=telemetry,
            )
            log.info("generate.ready", model=engine.model, slots=settings.slots)
            await worker.run(stop)
        finally:
            await engine.close()


async def open_engine(settings: GenerateSettings) -> Engine:
    """The engine that the settings name; its vendor is imported only here."""
    if settings.engine is EngineName.ECHO:
        from functions.generate.engines.echo import EchoEngine  # noqa: PLC0415

        return EchoEngine(settings.echo_delay)
    return await asyncio.to_thread(_load_transformers, settings)


def _load_transformers(settings: GenerateSettings) -> Engine:
    from functions.generate.engines.transformers import TransformersEngine  # noqa: PLC0415

    source = settings.model or str(prepare_default_model(settings.cache, console=Console(stderr=True)))
    return TransformersEngine.load(source, max_input_tokens=settings.max_input_tokens)


def is_answered(events: Log) -> Callable[[RequestId], Awaitable[bool]]:
    async def answered(request_id: RequestId) -> bool:
        return await events.find(Channel.REPLIES, request_id) is not None

    return answered
