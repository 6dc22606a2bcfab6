"""`timokha setup`: makes streams, consumers, buckets and queues, and says what it changed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

import click
from pydantic import SecretStr

from events.errors import SettingsError
from events.extras import install
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.setup.settings import SetupSettings


async def main(settings: SetupSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Safe to run again: what is as it should be stays untouched. RabbitMQ is set up if RABBITMQ_URL is set."""
    changed = False
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    async for change in _changes(settings, retrying):
        click.echo(change)
        changed = True
    if not changed:
        click.echo("nothing to change")


async def _changes(settings: SetupSettings, retrying: Retrying) -> AsyncIterator[str]:
    async with connect(settings.nats_url, name="setup", access=settings.nats_access) as js:
        topology = Topology(js, _retention(settings), retrying=retrying)
        try:
            await topology.ensure_all(settings.accounts.split(",") if settings.accounts else ())
            await topology.ensure_retention()
        finally:
            # What was done before a fault is worth knowing as well.
            for change in topology.changes:
                yield change
    if "rabbitmq_url" in settings.model_fields_set:
        for change in await _queues(settings.rabbitmq_url):
            yield change


async def _queues(url: SecretStr) -> Sequence[str]:
    try:
        from events.rabbitmq.setup import set_up  # noqa: PLC0415 - where nobody uses RabbitMQ its client may be missing
    except ImportError as error:
        raise SettingsError(
            f"RABBITMQ_URL is set, but its client is not installed ({error}): {install('rabbitmq')}"
        ) from None
    return await set_up(url, clock=SystemClock())


def _retention(settings: SetupSettings) -> Retention:
    return Retention(
        max_age=settings.max_age,
        deadletter_max_age=settings.deadletter_max_age,
        max_bytes=settings.max_bytes,
        replicas=settings.replicas,
    )
