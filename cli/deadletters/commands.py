"""`timokha deadletters list`, `show ID` and `drop ID`: inspect the questions without an answer, or delete one."""

import asyncio
from datetime import datetime

import click

from cli.deadletters.store import open_store, parse_id
from cli.settings import DeadLetterSettings, DeadLettersSettings
from events.deadletters import DeadLetter
from events.errors import MalformedEvent
from events.runtime.clock import SystemClock
from events.schema import GenerationRequested
from observability.telemetry import Telemetry


async def list_all(settings: DeadLettersSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Print one line for each dead letter, the oldest first."""
    now = SystemClock().now()
    async with open_store(settings) as store:
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
    """Return `seconds` in the largest unit that gives at least two: `90 s`, `3 min`, `47 h`, `6 d`."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


async def show(settings: DeadLetterSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Print everything that is known of one, the conversation included. Raises NoDeadLetter or SettingsError."""
    from edge.userbot.text import clean  # noqa: PLC0415 -- needs packages that the other commands do without

    request_id = parse_id(settings.id)
    async with open_store(settings) as store:
        letter = await store.get(request_id)
    # The text of a user must not control the owner's terminal.
    click.echo(clean("\n".join(describe(letter))))


def describe(letter: DeadLetter) -> list[str]:
    lines = [
        f"id: {letter.event.subject}",
        f"reason: {letter.reason}",
        f"detail: {letter.detail}",
        f"attempts: {letter.attempts}",
        f"dead since: {letter.since.isoformat(timespec='seconds')}",
        *(f"header {name}: {value}" for name, value in letter.event.headers.items()),
    ]
    try:
        request = letter.event.data()
    except MalformedEvent as error:
        return [*lines, f"it can't be read: {error}", letter.event.body.decode(errors="replace")]
    if isinstance(request, GenerationRequested):
        lines.append(f"deadline: {request.deadline.isoformat(timespec='seconds')}")
        lines += [f"persona: {request.persona}"] * bool(request.persona)
        lines += [f"memory: {turn.role}: {turn.text}" for one in request.memory for turn in one.turns]
        lines += [f"{f'{turn.role} {turn.speaker}'.strip()}: {turn.text}" for turn in request.turns]
    return lines


async def drop(settings: DeadLetterSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Overwrite one where it is stored. Raises NoDeadLetter or SettingsError."""
    request_id = parse_id(settings.id)
    async with open_store(settings) as store:
        await store.get(request_id)
        await store.drop(request_id)
    click.echo(f"dropped {request_id}")
