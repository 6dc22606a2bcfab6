"""`timokha generate`: the composition root of one generate function."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import structlog

from events.errors import SettingsError
from events.event import Event
from events.extras import install_command
from events.health.keeping import health_file
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import finish, run_with_helpers, until_stopped
from events.schema import GenerationProgressed
from events.transport import Progress, Subscription
from functions.generate.decoding.drawing import ProgressSender
from functions.generate.engine import CLOSE_TIMEOUT, Engine
from functions.generate.handler import generate
from functions.generate.registry import TRIGGERS
from functions.generate.settings import GenerateSettings
from functions.generate.triggers.trigger import Trigger
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
    """Serve until `stop` is set; it may also be set while the model loads or the broker is unreachable.

    `begun`: a batch that is loading the model already (see `openvino.head_start`); it is closed at the end.
    """
    try:
        await _serve(settings, telemetry, stop, begun)
    finally:
        if begun:
            await finish(CLOSE_TIMEOUT, asyncio.to_thread(begun.close))


async def _serve(settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event, begun: "Batch | None") -> None:
    clock, random = SystemClock(), Random()  # noqa: S311 - for jitter, no secret
    open_trigger = _load_trigger(settings.trigger)
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(health_file(settings.health_file, stop, clock=clock))
        health.not_ready("it connects to its broker")
        opening = stack.enter_async_context(open_trigger(settings, Retrying(clock, random)))
        trigger: Trigger | None = await until_stopped(stop, opening)
        if trigger is None:
            return
        health.not_ready("it loads its model")
        engine = await until_stopped(stop, open_engine(settings, clock=clock, begun=begun))
        if engine is None:
            return
        stack.push_async_callback(lambda: finish(CLOSE_TIMEOUT, engine.close()))
        subscription = await until_stopped(stop, trigger.subscribe())
        if subscription is None:
            return
        worker = _worker(engine, trigger, subscription, settings, telemetry=telemetry, clock=clock, random=random)
        # What is loaded now is never freed, so exempt it from garbage collection.
        gc.freeze()
        log.info("generate.ready", model=engine.model, slots=settings.slots, trigger=settings.trigger)
        health.ready_unless(trigger.problem)
        await run_with_helpers(worker.run(stop), trigger.upkeep())


def _load_trigger(name: str) -> Callable[..., AbstractAsyncContextManager[Trigger]]:
    """Import the trigger `name` and its vendor. Raises SettingsError, one line, if a package is missing."""
    entry = TRIGGERS[name]
    try:
        return entry.load_opener()
    except ModuleNotFoundError as error:
        raise _not_installed(f"GENERATE_TRIGGER={name}", entry.extra, error) from None


def _worker(
    engine: Engine,
    trigger: Trigger,
    subscription: Subscription,
    settings: GenerateSettings,
    *,
    telemetry: Telemetry,
    clock: Clock,
    random: Random,
) -> Worker:
    send_progress = _progress_sender(trigger.progress, clock) if trigger.progress else None
    handler = partial(generate, engine=engine, spans=telemetry.spans, clock=clock, send_progress=send_progress)
    return Worker(
        host_handler(handler, clock=clock, random=random),
        subscription=subscription,
        publisher=trigger.publisher,
        is_answered=trigger.is_answered,
        source=SOURCE,
        limits=Limits(slots=settings.slots, attempts=settings.attempts, grace=settings.grace),
        telemetry=telemetry.for_broker(trigger.system),
        clock=clock,
        random=random,
    )


def _progress_sender(progress: Progress, clock: Clock) -> ProgressSender:
    async def send(data: GenerationProgressed) -> None:
        await progress.publish(Event.of(data, source=SOURCE, time=clock.now(), headers=propagation.inject()))

    return send


async def open_engine(settings: GenerateSettings, *, clock: Clock, begun: "Batch | None" = None) -> Engine:
    """Open the engine that the settings name, and import its vendor. `begun`: see `main`.

    Raises SettingsError, one line, if a package is missing or the engine can't serve the model.
    """
    entry = settings.engine_entry
    try:
        opener = await asyncio.to_thread(entry.load_opener)
        engine: Engine = await opener(settings, clock=clock, **({"begun": begun} if begun else {}))
    except ModuleNotFoundError as error:
        raise _not_installed(f"GENERATE_ENGINE={settings.engine}", entry.extra, error) from None
    return engine


def _not_installed(setting: str, extra: str, error: ModuleNotFoundError) -> Exception:
    """Return the error that names the extra to install, or `error` itself if no extra has the module."""
    return SettingsError(f"{setting} is not installed ({error}): {install_command(extra)}") if extra else error
