"""`timokha replay`: ask recorded questions again, and print which replies differ."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import click
import structlog

from cli.faults import Interrupted
from cli.replay.cases import Case, Reply, cases
from cli.replay.compare import differences
from cli.replay.in_process import in_process_player
from cli.replay.player import ACCOUNT, Player, run_name
from cli.settings import ReplaySettings
from events import subjects
from events.errors import SettingsError, TimokhaError, TransportError
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.reading import StreamReader
from events.jetstream.topology import Topology
from events.recordings.lines import read
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import finish, until_stopped, within
from events.transport import ANSWERING, Channel
from functions.generate.app import open_engine
from functions.generate.engine import CLOSE_TIMEOUT
from observability.telemetry import Telemetry

Replies = list[Reply | None]

ERASE_TIMEOUT = timedelta(seconds=3)
"""How long erasing the replay's questions and replies may take."""

log = structlog.get_logger(__name__)


class Disagreement(TimokhaError):
    """At least one reply differs from the recorded one."""


@dataclass(frozen=True, slots=True)
class Report:
    """Lines to print, and the numbers of replies that agree and differ, and of questions without a recorded reply."""

    lines: Sequence[str]
    agreed: int
    differed: int
    unanswered: int

    def __str__(self) -> str:
        counts = f"{self.agreed} of {self.agreed + self.differed} replies agree"
        without = f"; {self.unanswered} questions without a recorded reply" if self.unanswered else ""
        return "\n".join([*self.lines, counts + without])


async def main(settings: ReplaySettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Replay and print the differences. Raises Disagreement if there are any, Interrupted if `stop` is set first."""
    if settings.file is None:
        raise SettingsError("REPLAY_FILE is missing: name a file that `timokha record` wrote")
    recorded = cases(read(settings.file))
    if not recorded:
        raise SettingsError(f"REPLAY_FILE: {settings.file} has no question; record some with `timokha record`")
    replies = await until_stopped(stop, _replay(settings, telemetry, recorded))
    if replies is None:
        raise Interrupted("stopped before the last reply; nothing was compared")
    report = compare_replies(recorded, replies)
    click.echo(report)
    if report.differed:
        raise Disagreement(f"{report.differed} of {report.agreed + report.differed} replies differ from the recording")


async def _replay(settings: ReplaySettings, telemetry: Telemetry, recorded: Sequence[Case]) -> Replies:
    async with _open_player(settings, telemetry, SystemClock()) as player:
        return await player.play(recorded)


def compare_replies(recorded: Sequence[Case], replies: Sequence[Reply | None]) -> Report:
    """Compare all replies with the recorded ones, in the recording's order."""
    lines: list[str] = []
    differed = 0
    for case, reply in zip(recorded, replies, strict=True):
        found = differences(case, reply)
        differed += bool(found)
        for difference in found:
            lines.append(f"{case.request.request_id}: {difference.what} differs")
            lines += [f"  {line}" for line in difference.lines]
    unanswered = sum(case.reply is None for case in recorded)
    return Report(lines, len(recorded) - unanswered - differed, differed, unanswered)


@asynccontextmanager
async def _open_player(settings: ReplaySettings, telemetry: Telemetry, clock: Clock) -> AsyncIterator[Player]:
    random = Random()  # noqa: S311 - jitter, not a secret
    if settings.handler:
        engine = await open_engine(settings, clock=clock)
        try:
            async with in_process_player(
                engine,
                slots=settings.slots,
                telemetry=telemetry,
                clock=clock,
                random=random,
                speed=settings.speed,
            ) as player:
                yield player
        finally:
            await finish(CLOSE_TIMEOUT, engine.close())
        return
    async with connect(settings.nats_url, name="replay", access=settings.nats_access) as js:
        await Topology(js, retrying=Retrying(clock, random)).ensure_streams(ANSWERING)
        events, run = JetStreamLog(js), run_name(clock.now())
        replies = await StreamReader.open(
            js, Channel.REPLIES, subjects.chat_subjects(Channel.REPLIES, ACCOUNT, run), clock=clock
        )
        try:
            yield Player(run, events, replies, telemetry, clock, settings.speed, settings.in_flight)
        finally:
            await finish(2 * ERASE_TIMEOUT, _erase(events, run))


async def _erase(events: JetStreamLog, run: str) -> None:
    """Erase the replay's texts, which nothing else would erase before they expire."""
    try:
        await within(ERASE_TIMEOUT, events.erase_chat(ACCOUNT, run, up_to=sys.maxsize))
    except (TransportError, TimeoutError) as error:
        log.warning("replay.not_erased", account=ACCOUNT, chat=run, error=str(error) or "NATS does not answer")
