"""`timokha moon`: say which phase the moon has."""

import asyncio
from datetime import UTC, datetime, timedelta

import click

from cli.settings import MoonSettings
from events.errors import TimokhaError
from events.runtime.clock import SystemClock

NEW_MOON = datetime(2000, 1, 6, 18, 14, tzinfo=UTC)
MONTH = timedelta(days=29.530588)
PHASES = ("new", "growing", "full", "shrinking")
LONGEST = 36500


async def main(settings: MoonSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Print the phase. Raises TimokhaError if it is too far away."""
    if settings.days > LONGEST:
        raise TimokhaError(f"MOON_DAYS: {settings.days} days are too far away; give at most {LONGEST}")
    age = (SystemClock().now() + timedelta(days=settings.days) - NEW_MOON) % MONTH
    click.echo(PHASES[int(age / MONTH * len(PHASES))])
