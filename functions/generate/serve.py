"""`timokha generate`: the process of its model, which takes longest, is on its way before the rest is imported."""

import asyncio
from typing import TYPE_CHECKING

from events.runtime.tasks import finish
from functions.generate.engine import CLOSING
from functions.generate.settings import GenerateSettings
from observability.telemetry import Telemetry

if TYPE_CHECKING:
    from functions.generate.engines.openvino.batch import Batch


async def main(
    settings: GenerateSettings, telemetry: Telemetry, stop: asyncio.Event, *, begun: "Batch | None" = None
) -> None:
    """Serve until `stop` is set. `begun`: see `head_start`."""
    try:
        from functions.generate import app  # noqa: PLC0415 -- the model loads meanwhile

        await app.main(settings, telemetry, stop, begun=begun)
    finally:
        if begun:
            await finish(CLOSING, asyncio.to_thread(begun.close))
