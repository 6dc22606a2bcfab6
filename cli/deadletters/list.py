"""`timokha deadletters list`: which questions nobody could answer, the oldest first."""

import asyncio
from datetime import datetime

import click

from cli.deadletters.settings import DeadLettersSettings
from cli.deadletters.store import opened
from events.deadletters import DeadLetter
from events.runtime.clock import SystemClock
from observability.telemetry import Telemetry


async def main(settings: DeadLettersSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    now = SystemClock().now()
    async with opened(settings) as store:
        letters = await store.all()
    if not letters:
        click.echo("no dead letters", err=True)
        return
    rows = [("ID", "REASON", "ATTEMPTS", "AGE"), *(row(letter, now) for letter in letters)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def row(letter: DeadLetter, now: datetime) -> tuple[str, str, str, str]:
    return letter.event.subject, letter.reason, letter.attempts, age((now - letter.since).total_seconds())


def age(seconds: float) -> str:
    """In the largest unit of which there are two at least: `90 s`, `3 min`, `47 h`, `6 d`."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
