"""`timokha health`: whether the process that keeps TIMOKHA_HEALTH_FILE answers questions now."""

import asyncio

import click

from events.errors import SettingsError, TimokhaError
from events.health.reading import HEALTHY, check_health
from events.settings import HealthSettings


class NotWell(TimokhaError):
    """It does not answer now, or with `--live`, its event loop is hung."""


async def main(settings: HealthSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Print that all is well. Raises NotWell."""
    if settings.health_file is None:
        raise SettingsError("TIMOKHA_HEALTH_FILE is missing: the file in which the process keeps its health")
    if wrong := check_health(str(settings.health_file), live=settings.live):
        raise NotWell(wrong)
    click.echo(HEALTHY[settings.live])
