"""`timokha model`: prepare the model once, so that `timokha generate` starts in seconds."""

import asyncio

import click
from rich.console import Console

from functions.generate.settings import GenerateSettings
from observability.telemetry import Telemetry


async def main(settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Prepare the model and print its directory; some engines have no model, or read it as it is."""
    directory = await asyncio.to_thread(settings.engine_entry.prepare, settings, Console(stderr=True))
    click.echo(f"prepared in {directory}" if directory else "nothing to prepare")
