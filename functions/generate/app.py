"""`timokha generate`: the composition root of one generate function."""

import asyncio
import gc
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import structlog
from rich.console import Console

from events.errors import SettingsError
from events.event import Event
from events.extras import install_command
from events.health.keeping import health_file
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import beside, finish, unless
from events.schema import GenerationProgressed
from events.transport import Progress, Subscription
from functions.generate.decoding.live import Tell
from functions.generate.engine import CLOSING, Engine
from functions.generate.handler import generate
from functions.generate.models.default_model import prepare_default_model
from functions.generate.models.prepared import prepared_model
from functions.generate.models.voices import voice_of
from functions.generate.settings import Decoding, EngineName, GenerateSettings
from functions.generate.triggers import Host, host
from functions.worker.loop import Limits, Worker, host_handler
from observability import propagation
from observability.telemetry import Telemetry

if TYPE_CHECKING:
    from functions.generate.engines.openvino.batch import Batch

SOURCE = "/timokha/generate"

log = structlog.get_logger(__name__)


async def main(
    settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event, *, begun: "Batch | None" = None
) -> None:
    """Serve until `stop` is set; nothing holds up the end, neither a model that loads nor a broker that is away.

    `begun` loads the model already; it is the caller's to close.
    """
    clock, random = SystemClock(), Random()  # noqa: S311 - for jitter, no secret
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(health_file(settings.health_file, stop, clock=clock))
        health.not_ready("it connects to its broker")
        broker = await unless(stop, stack.enter_async_context(host(settings, Retrying(clock, random))))
        if broker is None:
            return
        health.not_ready("it loads its model")
        engine = await unless(stop, open_engine(settings, clock=clock, begun=begun))
        if engine is None:
            return
        stack.push_async_callback(_close, engine)
        subscription = await unless(stop, broker.subscribe())
        if subscription is None:
            return
        worker = _worker(engine, broker, subscription, settings, telemetry=telemetry, clock=clock, random=random)
        # What is loaded now stays: the collector need not look at it for every few answers.
        gc.freeze()
        log.info("generate.ready", model=engine.model, slots=settings.slots, trigger=settings.trigger.value)
        health.ready_unless(broker.trouble)
        await beside(worker.run(stop), broker.keep())


async def _close(engine: Engine) -> None:
    await finish(CLOSING, engine.close())


def _worker(
    engine: Engine,
    broker: Host,
    subscription: Subscription,
    settings: GenerateSettings,
    *,
    telemetry: Telemetry,
    clock: Clock,
    random: Random,
) -> Worker:
    tell = _tell(broker.progress, clock) if broker.progress else None
    handler = partial(generate, engine=engine, spans=telemetry.spans, clock=clock, tell=tell)
    return Worker(
        host_handler(handler, clock=clock, random=random),
        subscription=subscription,
        publisher=broker.publisher,
        is_answered=broker.answered,
        source=SOURCE,
        limits=Limits(slots=settings.slots, attempts=settings.attempts, grace=settings.grace),
        telemetry=telemetry.for_broker(broker.system),
        clock=clock,
        random=random,
    )


def _tell(progress: Progress, clock: Clock) -> Tell:
    async def tell(data: GenerationProgressed) -> None:
        await progress.publish(Event.of(data, source=SOURCE, time=clock.now(), headers=propagation.inject()))

    return tell


async def open_engine(settings: GenerateSettings, *, clock: Clock, begun: "Batch | None" = None) -> Engine:
    """The engine that the settings name; its vendor is imported only here. `begun`: see `head_start`."""
    if settings.engine is EngineName.ECHO:
        from functions.generate.engines.echo import EchoEngine  # noqa: PLC0415

        return EchoEngine(settings.echo_delay, clock=clock)
    try:
        if settings.engine is EngineName.OPENAI:
            return await _open_openai(settings, clock)
        if settings.engine is EngineName.OPENVINO:
            return await asyncio.to_thread(_load_openvino, settings, clock, begun)
        return await asyncio.to_thread(_load_transformers, settings, clock)
    except ModuleNotFoundError as error:
        engine = settings.engine.value
        raise SettingsError(f"GENERATE_ENGINE={engine} is not installed ({error}): {install_command(engine)}") from None


def _load_openvino(settings: GenerateSettings, clock: Clock, begun: "Batch | None") -> Engine:
    from functions.generate.engines.openvino.engine import OpenVINOEngine  # noqa: PLC0415

    directory = prepared_model(
        settings.model,
        settings.cache,
        bits=settings.bits,
        vocabulary=settings.vocabulary,
        voice=voice_of(settings.voice, settings.model),
        console=Console(stderr=True),
    )
    return OpenVINOEngine(
        directory,
        slots=settings.slots,
        clock=clock,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
        arithmetic=settings.arithmetic,
        begun=begun,
    )


def _load_transformers(settings: GenerateSettings, clock: Clock) -> Engine:
    from functions.generate.engines.transformers.engine import TransformersEngine  # noqa: PLC0415

    source = settings.model or str(
        prepare_default_model(settings.cache, voice=voice_of(settings.voice), console=Console(stderr=True))
    )
    beams = settings.decoding is Decoding.ORIGINAL
    return TransformersEngine.load(
        source,
        clock=clock,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
        beams=beams,
    )


async def _open_openai(settings: GenerateSettings, clock: Clock) -> Engine:
    from functions.generate.engines.openai.engine import OpenAIEngine  # noqa: PLC0415

    key = settings.openai_api_key
    return await OpenAIEngine.open(
        str(settings.openai_base_url),
        key=key.get_secret_value() if key else None,
        model=settings.model,
        timeout=settings.openai_timeout,
        clock=clock,
        max_input_tokens=settings.max_input_tokens,
        max_thought_tokens=settings.max_thought_tokens,
    )
