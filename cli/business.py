"""`timokha business`: answer for the people who have connected the bot, or with `--check` test what that rests on."""

import asyncio
from collections.abc import Callable

import click

from cli.faults import Interrupted
from edge.business import app
from edge.business.settings import BusinessSettings
from edge.business.telegram.check import check
from events.runtime.tasks import until_stopped
from observability.telemetry import Telemetry


async def main(
    settings: BusinessSettings,
    telemetry: Telemetry,
    stop: asyncio.Event,
    *,
    read_anew: Callable[[], BusinessSettings] | None = None,
) -> None:
    """Run until `stop` is set, or the check is done. Raises TimokhaError."""
    if settings.check:
        if not await until_stopped(stop, check(settings, click.echo)):
            raise Interrupted("stopped before the last step; what was tested is above")
    else:
        await app.main(settings, telemetry, stop, read_anew=read_anew)
