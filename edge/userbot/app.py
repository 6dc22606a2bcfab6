"""`timokha userbot`: the composition root of the edge."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

import structlog

from edge.userbot.driving.drivers import Drivers, Hints
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from edge.userbot.settings import UserbotSettings
from edge.userbot.storage.chats import open_chats
from edge.userbot.storage.watermark import Watermark
from edge.userbot.telegram import session, session_file
from edge.userbot.telegram.account import TelegramAccount
from edge.userbot.telegram.calls import Calls, SessionRevoked
from edge.userbot.telegram.messenger import Telegram
from edge.userbot.telegram.pyrogram_repairs import repair
from edge.userbot.telegram.session import make_client, started_client
from edge.userbot.telegram.unattended import wait_for_new_session, wait_for_session
from edge.userbot.telegram.updates import Updates
from events import subjects
from events.health.keeping import Health, health_file
from events.jetstream.connection import JetStream, connect
from events.jetstream.core_nats import listen_for_progress, listen_for_wakes
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.jetstream.upkeep import keep_topology, trouble
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import finish, together, unless
from events.transport import Channel
from observability.telemetry import Telemetry

log = structlog.get_logger(__name__)


CLEAN_UP = timedelta(seconds=2)
"""For saving how far Telegram's changes are known; what else is under way is left at once."""


async def main(settings: UserbotSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Answer until `stop` is set; what is under way then is left to the next start."""
    clock = SystemClock()
    async with health_file(settings.health_file, stop, clock=clock) as health:
        await unless(stop, _attend(settings, telemetry, health, clock))


async def _attend(settings: UserbotSettings, telemetry: Telemetry, health: Health, clock: Clock) -> None:
    """Answer once there is a session."""
    await wait_for_session(settings, health.not_ready, clock=clock)
    async with wait_for_new_session(settings, health.not_ready, clock=clock):
        await _answer(settings, telemetry, health, clock)


async def _answer(settings: UserbotSettings, telemetry: Telemetry, health: Health, clock: Clock) -> None:
    retrying = Retrying(clock, Random())  # noqa: S311 - jitter, not a secret
    time = repair(retrying)
    client = make_client(settings)
    calls = Calls(client, flood_waited=telemetry.metrics.record_flood_wait)
    updates = Updates(client, groups=settings.answer_groups, bots=settings.answer_bots)
    health.not_ready("it connects to NATS")
    async with connect(settings.nats_url, name="userbot", access=settings.nats_access) as js:
        topology = Topology(js, retrying=retrying)
        await topology.ensure_streams()
        await topology.ensure_buckets()
        health.not_ready("it signs in to Telegram")
        async with started_client(client) as account:
            session.report_reconnects(client, reconnected=updates.reconnected, revoked=calls.revoked)
            ensure = partial(_ensure, topology, account)
            await ensure()
            ports = Ports(
                account=account,
                chats=await open_chats(js, account, retrying=retrying),
                log=JetStreamLog(js),
                messenger=Telegram(client, calls, rate=settings.sends_per_second, changed=updates.take),
                sampling=settings.sampling,
                deadline=settings.deadline,
                telemetry=telemetry,
                retrying=retrying,
                formatted=settings.formatting == "markdown",
            )
            drivers = Drivers(ports)
            stored = await JetStreamRecords.open(js, subjects.TELEGRAM_BUCKET)
            watermark = Watermark(stored, account, retrying=retrying)
            catch_up = CatchUp(
                TelegramAccount(
                    calls,
                    account,
                    groups=settings.answer_groups,
                    bots=settings.answer_bots,
                    other=updates.names.hear_update,
                ),
                watermark,
                Intake(ports, drivers, _rules(settings), names=lambda: updates.names.active, ahead=time.ahead).receive,
                retrying=retrying,
                window=settings.catch_up_window,
                known_since=ports.chats.created_at,
                ahead=time.ahead,
                fetched=telemetry.metrics.record_catch_up,
                was_here=lambda: drivers.resuming.was_complete,
            )
            subscription = await JetStreamSubscription.bind(
                js, Channel.REPLIES, subjects.edge_consumer(account), random=retrying.random
            )
            answers = partial(
                health.ready_unless, partial(trouble, topology), partial(session.connection_trouble, client)
            )
            edge = _Edge(js, drivers, watermark, catch_up, Replies(ports, drivers, subscription), answers)
            updates.listen(account, catch_up.put)
            await together(
                edge.run(account),
                _until_revoked(calls.revoked),
                keep_topology(topology, ensure, clock=retrying.clock, on_recreated=edge.remade),
            )


async def _ensure(topology: Topology, account: str) -> None:
    """Create the streams, buckets and the consumer that are missing. Raises TransportError."""
    await topology.ensure_streams()
    await topology.ensure_buckets()
    await topology.ensure_edge(account)


@dataclass(frozen=True, slots=True)
class _Edge:
    """The parts that run once the account is known."""

    js: JetStream
    drivers: Drivers
    watermark: Watermark
    catch_up: CatchUp
    replies: Replies
    answers: Callable[[], None]
    """Is called when messages are taken from now on."""

    async def run(self, account: str) -> None:
        """Run until cancelled. Raises the first error of any part."""
        try:
            # That version may have left unfinished chats that an index from before does not name.
            await self.drivers.resume(outdated=self.watermark.is_of_earlier_version)
            hints = Hints(self.drivers.wake)
            async with (
                listen_for_wakes(self.js, account, hints.hear),
                listen_for_progress(self.js, account, self.drivers.hear),
            ):
                await together(self.catch_up.run(), self.replies.run(), self.drivers.keep(), self._tell_ready(account))
        finally:
            await finish(CLEAN_UP, self._stop())

    def remade(self) -> None:
        """Something that NATS held was lost."""
        self.catch_up.remade()
        self.drivers.resuming.remade()

    async def _tell_ready(self, account: str) -> None:
        await self.catch_up.begun()
        self.answers()
        log.info("userbot.ready", account=account)

    async def _stop(self) -> None:
        await self.drivers.stop()
        await self.catch_up.stop()


async def _until_revoked(revoked: asyncio.Event) -> None:
    await revoked.wait()
    raise SessionRevoked(f"Telegram has ended the session; sign in again with {session_file.sign_in_command()}")


def _rules(settings: UserbotSettings) -> Rules:
    return Rules(
        prefix=settings.prefix,
        when_busy=settings.when_busy,
        deadline=settings.deadline,
        catch_up_window=settings.catch_up_window,
        locale=settings.language,
        live=settings.live,
        max_answers=settings.max_answers_per_minute,
    )
