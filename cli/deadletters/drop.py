"""`timokha deadletters drop ID`: overwrites a dead letter where it is stored."""

import asyncio

import click

from cli.deadletters.settings import DeadLetterSettings
from cli.deadletters.store import opened, parsed
from observability.telemetry import Telemetry


async def main(settings: DeadLetterSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Raises NoDeadLetter or SettingsError."""
    request_id = parsed(settings.id)
    async with opened(settings) as store:
        await store.get(request_id)
        await store.drop(request_id)
    click.echo(f"dropped {request_id}")
