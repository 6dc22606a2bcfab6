"""`timokha model`: prepares the default model, once, so that `timokha generate` starts in seconds."""

import asyncio

from rich.console import Console

from functions.generate.default_model import prepare_default_model
from functions.generate.settings import EngineName, GenerateSettings
from observability.telemetry import Telemetry


async def main(settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Nothing to do where the engine has no model, or serves one that was chosen."""
    if settings.engine is EngineName.ECHO or settings.model:
        return
    await asyncio.to_thread(prepare_default_model, settings.cache, console=Console(stderr=True))
