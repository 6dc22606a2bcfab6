"""`timokha generate`: the process of its model, which takes longest, is on its way before the rest is imported."""

import asyncio

from events.runtime.tasks import finish
from functions.generate.engine import CLOSING
from functions.generate.head_start import begin
from functions.generate.settings import GenerateSettings
from observability.telemetry import Telemetry


async def main(settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    begun = begin(settings)
    try:
        from functions.generate import app  # noqa: PLC0415 -- the model loads meanwhile

        await app.main(settings, telemetry, stop, begun=begun)
    finally:
        if begun:
            await finish(CLOSING, asyncio.to_thread(begun.close))
