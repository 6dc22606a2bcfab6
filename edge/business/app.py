"""`timokha business`: the composition root of the edge for business connections."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

import structlog

from edge.business.accounts import Accounts
from edge.business.connect_hints import ConnectHints
from edge.business.connections import Connections
from edge.business.leaving import Leaving, PersonsDeparture
from edge.business.receiving import Receiving
from edge.business.settings import BusinessSettings
from edge.business.telegram.centres import open_centres
from edge.business.telegram.client import ask_for_connection, require_business
from edge.business.telegram.connection_api import ConnectionApi
from edge.business.telegram.messenger import messengers
from edge.business.telegram.updates import read_update, to_owned_message
from edge.business.telling import Telling
from edge.userbot.account_edge import EdgeContext
from edge.userbot.current_rules import CurrentRules
from edge.userbot.intake.account_updates import Counter
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.storage.watermark import Watermark
from edge.userbot.telegram import session
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.presses import Presses
from edge.userbot.telegram.pyrogram_repairs import repair
from edge.userbot.telegram.session import make_client, started_client
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import Updates
from edge.userbot.telegram.updates_source import TelegramUpdatesSource
from edge.userbot.texts.own import own_texts_installed
from events import subjects
from events.health.keeping import Health, health_file
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.topology import Topology
from events.jetstream.upkeep import connection_problem, keep_topology
from events.runtime.clock import Clock, SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import finish, run_all, until_stopped
from observability.telemetry import Telemetry

log = structlog.get_logger(__name__)

CLEAN_UP = timedelta(seconds=2)
"""For saving the watermark at the end; other work is dropped at once and resumed by the next start."""


async def main(
    settings: BusinessSettings,
    telemetry: Telemetry,
    stop: asyncio.Event,
    *,
    read_anew: Callable[[], BusinessSettings] | None = None,
) -> None:
    """Answer the chats of all connected persons until `stop` is set; leave unfinished work to the next start.

    `read_anew`: reads the settings once more, for the rules that may change meanwhile. Raises SettingsError.
    """
    require_business()
    if settings.owner is not None:
        log.warning(
            "settings.ignored", setting="USERBOT_OWNER", error="each connected person is the owner of their chats"
        )
    clock = SystemClock()
    rules = CurrentRules(settings, read_anew or (lambda: settings))
    with own_texts_installed(settings):
        async with health_file(settings.health_file, stop, clock=clock) as health:
            await until_stopped(stop, _answer(settings, rules, telemetry, health, clock))


async def _answer(
    settings: BusinessSettings, rules: CurrentRules, telemetry: Telemetry, health: Health, clock: Clock
) -> None:
    retrying = Retrying(clock, Random())  # noqa: S311 - jitter, not a secret
    time = repair(retrying)
    client = make_client(settings)
    api = TelegramApi(client, flood_waited=telemetry.metrics.record_flood_wait)
    updates = Updates(client, remembers=False)
    health.not_ready("it connects to NATS")
    async with connect(settings.nats_url, name="business", access=settings.nats_access) as js:
        topology = Topology(js, retrying=retrying)
        await topology.ensure_streams()
        await topology.ensure_buckets()
        health.not_ready("it signs in to Telegram")
        async with started_client(client) as bot, open_centres(client) as centres:
            session.report_reconnects(client, reconnected=updates.reconnected, revoked=api.revoked)
            # Beside the chats, so that unfinished ones are not without the person who is to answer them.
            stored = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=retrying)
            connections = Connections(
                stored,
                bot,
                ask=partial(ask_for_connection, api),
                retrying=retrying,
                connected=telemetry.metrics.count_connected,
            )
            await connections.load()
            catch_up: CatchUp
            telling = Telling(connections, lambda *notice: accounts.notify(*notice), rules)  # noqa: PLW0108 - made below
            messenger_of = messengers(
                client,
                api,
                rate=settings.sends_per_second,
                on_updates=updates.take,
                through=partial(
                    ConnectionApi,
                    api,
                    centres,
                    connections,
                    refused=telling.tell,
                    fetch_missed=lambda: catch_up.fetch("invalid connection"),
                ),
            )
            accounts = Accounts(
                EdgeContext(js, settings, rules, telemetry, retrying, time.clock_offset),
                topology,
                messenger_of,
                partial(PersonsDeparture, connections, time.clock_offset),
            )
            leaving = Leaving(connections, accounts, JetStreamLog(js), retrying=retrying)
            hints = ConnectHints(messenger_of, bot, rules, retrying=retrying)
            receiving = Receiving(
                connections, accounts, leaving, hints, to_owned_message, refused=telling.tell, retrying=retrying
            )
            states = await JetStreamRecords.open(js, subjects.TELEGRAM_BUCKET, retrying=retrying)
            watermark = Watermark(states, bot, retrying=retrying)
            has_run_before = bool(connections.persons)
            reader = UpdateReader(bot, read_other=read_update)
            catch_up = CatchUp(
                TelegramUpdatesSource(api, reader),
                watermark,
                receiving.receive,
                retrying=retrying,
                window=settings.catch_up_window,
                known_since=partial(stored.created_at, clock),
                clock_offset=time.clock_offset,
                record_fetched=telemetry.metrics.record_catch_up,
                has_run_before=lambda: has_run_before,
                counters=tuple(Counter),
            )
            answers = partial(
                health.ready_unless, partial(connection_problem, topology), partial(session.connection_problem, client)
            )
            presses = Presses(api, receiving.receive_press)
            updates.on_press = presses.put
            updates.listen(reader, catch_up.put)
            whole = _Whole(connections, accounts, leaving, catch_up, answers)
            await run_all(
                whole.run(bot),
                presses.run(),
                hints.run(),
                rules.keep_current(clock),
                session.until_revoked(api.revoked),
                keep_topology(
                    topology,
                    partial(_ensure, topology, accounts),
                    clock=retrying.clock,
                    on_recreated=whole.on_store_recreated,
                ),
            )


async def _ensure(topology: Topology, accounts: Accounts) -> None:
    """Create the streams, buckets and consumers that are missing. Raises TransportError."""
    await topology.ensure_streams()
    await topology.ensure_buckets()
    await accounts.ensure()


@dataclass(frozen=True, slots=True)
class _Whole:
    """The persons' edges and what brings them the bot's changes."""

    connections: Connections
    accounts: Accounts
    leaving: Leaving
    catch_up: CatchUp
    answers: Callable[[], None]
    """Called once messages are being taken in."""

    async def run(self, bot: str) -> None:
        """Run until cancelled. Raises the first error of any part."""
        try:
            await self.accounts.begin(self.connections.served)
            await run_all(
                self.accounts.run(),
                self.catch_up.run(),
                self._release_drivers(),
                self._erase_who_has_left(),
                self._report_ready(bot),
            )
        finally:
            await finish(CLEAN_UP, self._stop())

    def on_store_recreated(self) -> None:
        """Restore what NATS has lost."""
        self.catch_up.on_store_recreated()
        self.accounts.on_store_recreated()
        self.connections.on_store_recreated()

    async def _release_drivers(self) -> None:
        await self.catch_up.wait_until_caught_up()
        self.accounts.release()

    async def _erase_who_has_left(self) -> None:
        # A connection that seems to be over may have been replaced meanwhile.
        await self.catch_up.wait_until_caught_up()
        await run_all(self.leaving.run(), self.connections.run())

    async def _report_ready(self, bot: str) -> None:
        await self.catch_up.wait_until_begun()
        self.answers()
        log.info("business.ready", bot=bot, connected=len(self.connections.persons))

    async def _stop(self) -> None:
        await self.accounts.stop()
        await self.catch_up.stop()
