"""`timokha model`: prepares the model, once, so that `timokha generate` starts in seconds."""

import asyncio

import click
from rich.console import Console

from functions.generate.models.default_model import prepare_default_model
from functions.generate.models.prepared import prepared_model
from functions.generate.models.voices import voice_of
from functions.generate.settings import EngineName, GenerateSettings
from observability.telemetry import Telemetry


async def main(settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Say where the prepared model is: there is none where the engine has no model, or reads one as it is."""
    console, voice = Console(stderr=True), voice_of(settings.voice, settings.model)
    directory = None
    if settings.engine is EngineName.OPENVINO:
        directory = await asyncio.to_thread(
            prepared_model,
            settings.model,
            settings.cache,
            bits=settings.bits,
            vocabulary=settings.vocabulary,
            voice=voice,
            console=console,
        )
    elif settings.engine is EngineName.TRANSFORMERS and not settings.model:
        directory = await asyncio.to_thread(prepare_default_model, settings.cache, voice=voice, console=console)
    click.echo(f"prepared in {directory}" if directory else "nothing to prepare")
