"""`timokha setup`: create streams, consumers, buckets and queues, and print what changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from random import Random

import click
import structlog
from pydantic import SecretStr

from cli.settings import SetupSettings
from events.errors import SettingsError, TransportError
from events.extras import install_command
from events.faults import Fault
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff, Retrying

PAUSES = Backoff(timedelta(seconds=0.5), timedelta(seconds=2))

log = structlog.get_logger(__name__)


async def main(settings: SetupSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Set up JetStream, and RabbitMQ if RABBITMQ_URL is set. Repeated runs change only what differs."""
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    changes: list[str] = []

    def tell(new: Iterable[str]) -> None:
        for change in new:
            click.echo(change)
            changes.append(change)

    await _patiently(lambda: _streams(settings, retrying, tell), settings, retrying)
    if "rabbitmq_url" in settings.model_fields_set:
        await _patiently(lambda: _queues(settings.rabbitmq_url, tell), settings, retrying)
    if not changes:
        click.echo("nothing to change")


async def _patiently(make: Callable[[], Awaitable[None]], settings: SetupSettings, retrying: Retrying) -> None:
    """Run `make`; wait for a broker that can't be reached, but not for one that refuses us."""
    log_throttle = LogThrottle()

    def failed(error: Exception, _: timedelta) -> None:
        if log_throttle.due(str(error)):
            log.warning("setup.waiting", error=str(error))

    await retrying(make, passing=_is_passing, backoff=PAUSES, patience=settings.wait, failed=failed)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, TransportError) and error.fault is Fault.PASSING


async def _streams(settings: SetupSettings, retrying: Retrying, tell: Callable[[Iterable[str]], None]) -> None:
    async with connect(settings.nats_url, name="setup", access=settings.nats_access) as js:
        topology = Topology(js, _retention(settings), retrying=retrying)
        try:
            await topology.ensure_all(settings.accounts.split(",") if settings.accounts else ())
            await topology.ensure_retention()
        finally:
            # Print what changed even if a later step fails.
            tell(topology.changes)


async def _queues(url: SecretStr, tell: Callable[[Iterable[str]], None]) -> None:
    try:
        from events.rabbitmq.connection import connect as connect_rabbitmq  # noqa: PLC0415 - its client may be missing
        from events.rabbitmq.topology import set_up  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"RABBITMQ_URL is set, but its client is not installed ({error}): {install_command('rabbitmq')}"
        ) from None
    async with connect_rabbitmq(url, name="setup", clock=SystemClock()) as broker:
        tell(await set_up(broker.consuming))


def _retention(settings: SetupSettings) -> Retention:
    return Retention(
        max_age=settings.max_age,
        deadletter_max_age=settings.deadletter_max_age,
        max_bytes=settings.max_bytes,
        replicas=settings.replicas,
    )
