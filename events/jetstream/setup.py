"""`timokha setup`: makes streams, consumers and buckets, and says what it changed."""

import asyncio
from pathlib import Path

import click

from events.jetstream.connection import connect
from events.jetstream.settings import SetupSettings
from events.jetstream.topology import Retention, Topology


async def main(settings: SetupSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Safe to run again: what is as it should be stays untouched."""
    credentials = Path(settings.nats_credentials) if settings.nats_credentials else None
    async with connect(settings.nats_url, name="setup", credentials=credentials) as js:
        topology = Topology(js, _retention(settings))
        try:
            await topology.ensure_all(settings.accounts.split(",") if settings.accounts else ())
            await topology.ensure_retention()
        finally:
            # What was done before a fault is worth knowing as well.
            for change in topology.changes:
                click.echo(change)
    if not topology.changes:
        click.echo("nothing to change")


def _retention(settings: SetupSettings) -> Retention:
    return Retention(
        max_age=settings.max_age,
        deadletter_max_age=settings.deadletter_max_age,
        max_bytes=settings.max_bytes,
        replicas=settings.replicas,
    )
