"""`timokha record`: save questions and their replies from the streams to a file, or answers with readers' votes."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import click

from cli.demo.nats_server import EmbeddedServer
from cli.settings import RecordSettings
from events.errors import SettingsError
from events.jetstream.connection import JetStream, connect
from events.jetstream.reading import stored_events
from events.recordings.feedback import judged_answers
from events.recordings.lines import Line, RecordedEvent, write
from events.recordings.pseudonyms import Pseudonyms
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.subjects import chat_subjects
from events.transport import ANSWERING, Channel

FOR_FEEDBACK = (Channel.REQUESTS, Channel.REPLIES, Channel.FEEDBACK)


async def main(settings: RecordSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Save what the streams contain now, without consuming it."""
    clock = SystemClock()
    retrying = Retrying(clock, Random())  # noqa: S311 - jitter, not a secret
    async with _jetstream(settings) as js:
        events = [
            RecordedEvent(channel, published_at, event)
            for channel in (FOR_FEEDBACK if settings.feedback else ANSWERING)
            for published_at, event in await stored_events(
                js, channel, chat_subjects(channel, settings.account, settings.chat), retrying=retrying
            )
        ]
    now = clock.now()
    selected = Selection(time_of(settings.since, now), time_of(settings.until, now), settings.count).of(events)
    if settings.pseudonymise:
        key = settings.key.get_secret_value().encode() if settings.key else secrets.token_bytes()
        selected = Pseudonyms(key, settings.pseudonymise).replace_in(selected)
    if settings.feedback:
        judged = judged_answers(selected)
        _save(judged, settings.file, f"{len(judged)} answers with feedback")
    else:
        questions = len({recorded.event.subject for recorded in selected})
        _save(selected, settings.file, f"{len(selected)} events of {questions} questions")


def time_of(moment: datetime | timedelta | None, now: datetime) -> datetime | None:
    """Return the time that is as long before `now` as the timedelta `moment` says; a time as it is."""
    return now - moment if isinstance(moment, timedelta) else moment


@asynccontextmanager
async def _jetstream(settings: RecordSettings) -> AsyncIterator[JetStream]:
    if settings.demo is None:
        async with connect(settings.nats_url, name="record", access=settings.nats_access) as js:
            yield js
        return
    directory = settings.demo / "nats"
    if not directory.is_dir():
        raise SettingsError(f"RECORD_DEMO: {settings.demo} is not a directory of a demo; it takes a DEMO_DIRECTORY")
    async with EmbeddedServer(directory) as server, connect(server.url, name="record") as js:
        yield js


def _save(lines: Sequence[Line], file: Path | None, what: str) -> None:
    if file is None:
        for line in lines:
            click.echo(line.to_line())
    else:
        write(lines, file)
    click.echo(f"timokha: recorded {what}", err=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """The newest `count` of the questions whose first event was published from `since` until before `until`."""

    since: datetime | None = None
    until: datetime | None = None
    count: int | None = None

    def of(self, events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
        """Return the events of the selected questions in the order of publishing, over all channels."""
        questions: dict[str, list[RecordedEvent]] = {}
        for recorded in sorted(events, key=lambda recorded: recorded.published_at):
            questions.setdefault(recorded.event.subject, []).append(recorded)
        chosen = [question for question in questions.values() if self._includes(question[0].published_at)]
        newest = chosen if self.count is None else chosen[max(0, len(chosen) - self.count) :]
        return sorted((one for question in newest for one in question), key=lambda recorded: recorded.published_at)

    def _includes(self, asked_at: datetime) -> bool:
        return (self.since is None or asked_at >= self.since) and (self.until is None or asked_at < self.until)
