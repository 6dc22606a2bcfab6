"""`timokha deadletters show ID`: everything that is known of a dead letter, the conversation included."""

import asyncio

import click

from cli.deadletters.settings import DeadLetterSettings
from cli.deadletters.store import opened, parsed
from edge.userbot.splitting import clean
from events.deadletters import DeadLetter
from events.errors import MalformedEvent
from events.schema import GenerationRequested
from observability.telemetry import Telemetry


async def main(settings: DeadLetterSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Raises NoDeadLetter or SettingsError."""
    request_id = parsed(settings.id)
    async with opened(settings) as store:
        letter = await store.get(request_id)
    # Whoever wrote the text must not steer the owner's terminal.
    click.echo(clean("\n".join(described(letter))))


def described(letter: DeadLetter) -> list[str]:
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
        lines += [f"{turn.role}: {turn.text}" for turn in request.turns]
    return lines
