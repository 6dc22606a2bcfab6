"""`timokha userbot`: the composition root of the edge."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

import structlog

from edge.userbot.account_edge import AccountEdge, EdgeContext
from edge.userbot.chat.incoming import Change
from edge.userbot.current_rules import CurrentRules
from edge.userbot.intake.account_updates import Keyed, UpdatesSource
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.group_catch_ups import GroupCatchUps
from edge.userbot.memory import Memory, open_memory
from edge.userbot.settings import NOBODY_APPROVES, UserbotSettings
from edge.userbot.storage.watermark import Watermark, group_key
from edge.userbot.telegram import session
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.group_updates_source import GroupUpdatesSource
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.peers import Peers
from edge.userbot.telegram.presses import Presses
from edge.userbot.telegram.pyrogram_repairs import repair
from edge.userbot.telegram.session import make_client, started_client
from edge.userbot.telegram.unattended import wait_for_new_session, wait_for_session
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import Updates
from edge.userbot.telegram.updates_source import TelegramUpdatesSource
from edge.userbot.texts.own import own_texts_installed
from events import subjects
from events.errors import SettingsError
from events.health.keeping import Health, health_file
from events.jetstream.connection import connect
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
    settings: UserbotSettings,
    telemetry: Telemetry,
    stop: asyncio.Event,
    *,
    read_anew: Callable[[], UserbotSettings] | None = None,
) -> None:
    """Answer questions until `stop` is set; leave unfinished work to the next start.

    `read_anew`: reads the settings once more, for the rules that may change meanwhile. Raises SettingsError.
    """
    clock = SystemClock()
    rules = CurrentRules(settings, read_anew or (lambda: settings))
    with own_texts_installed(settings), open_memory(settings.memory) as memory:
        async with health_file(settings.health_file, stop, clock=clock) as health:
            await until_stopped(stop, _attend(settings, rules, telemetry, health, clock, memory=memory))


async def _attend(
    settings: UserbotSettings,
    rules: CurrentRules,
    telemetry: Telemetry,
    health: Health,
    clock: Clock,
    *,
    memory: Memory,
) -> None:
    """Answer questions once there is a session."""
    await wait_for_session(settings, health.not_ready, clock=clock)
    async with wait_for_new_session(settings, health.not_ready, clock=clock):
        await _answer(settings, rules, telemetry, health, clock, memory=memory)


async def _answer(
    settings: UserbotSettings,
    rules: CurrentRules,
    telemetry: Telemetry,
    health: Health,
    clock: Clock,
    *,
    memory: Memory,
) -> None:
    retrying = Retrying(clock, Random())  # noqa: S311 - jitter, not a secret
    time = repair(retrying)
    client = make_client(settings)
    api = TelegramApi(client, flood_waited=telemetry.metrics.record_flood_wait)
    updates, peers = Updates(client), Peers(client, api)
    updates.on_reconnected = peers.on_reconnected
    health.not_ready("it connects to NATS")
    async with connect(settings.nats_url, name="userbot", access=settings.nats_access) as js:
        topology = Topology(js, retrying=retrying)
        await topology.ensure_streams()
        await topology.ensure_buckets()
        health.not_ready("it signs in to Telegram")
        async with started_client(client) as account:
            session.report_reconnects(client, reconnected=updates.reconnected, revoked=api.revoked)
            owner_chat = _owner_chat(settings, account, is_bot=api.is_bot)
            memory.check_owner(owner_chat)
            ensure = partial(_ensure, topology, account)
            await ensure()
            edge = await AccountEdge.open(
                EdgeContext(js, settings, rules, telemetry, retrying, time.clock_offset),
                account,
                TelegramMessenger(
                    client,
                    api,
                    rate=settings.sends_per_second,
                    on_updates=updates.take,
                    slow_modes=updates.slow_modes,
                    peers=peers,
                ),
                owner_chat=owner_chat,
                by_bot=api.is_bot,
                names=lambda: updates.names.active,
                memory=memory,
            )
            stored = await JetStreamRecords.open(js, subjects.TELEGRAM_BUCKET, retrying=retrying)
            watermark = Watermark(stored, account, retrying=retrying)

            def catch_up_from(
                source: UpdatesSource,
                watermark: Watermark,
                *,
                group: str | None = None,
                begins_anew: bool = False,
                has_run_before: Callable[[], bool] = lambda: False,
            ) -> CatchUp:
                return CatchUp(
                    source,
                    watermark,
                    partial(_receive, edge),
                    retrying=retrying,
                    window=settings.catch_up_window,
                    known_since=edge.ports.chats.created_at,
                    clock_offset=time.clock_offset,
                    record_fetched=telemetry.metrics.record_catch_up,
                    has_run_before=has_run_before,
                    group=group,
                    begins_anew=begins_anew,
                )

            reader = UpdateReader(account, lambda: updates.names.active, bots=settings.answer_bots)
            catch_up = catch_up_from(
                TelegramUpdatesSource(
                    api,
                    reader,
                    on_other_update=updates.names.learn_from_update,
                    on_group_change=updates.take_group_change,
                    answers_in=lambda chat: rules().answers_in(chat),
                ),
                watermark,
                has_run_before=lambda: edge.drivers.resuming.has_run_before,
            )
            groups = GroupCatchUps(
                lambda: rules().supergroups,
                lambda group, anew: catch_up_from(
                    GroupUpdatesSource(api, reader, group, peer=peers.peer),
                    Watermark(stored, group_key(account, group), retrying=retrying),
                    group=group,
                    begins_anew=anew,
                ),
                catch_up.put,
                clock=clock,
            )
            answers = partial(
                health.ready_unless, partial(connection_problem, topology), partial(session.connection_problem, client)
            )
            presses = Presses(api, edge.own_intake.receive_press)
            updates.on_press = presses.put
            updates.on_typing = edge.drivers.note_typing
            updates.on_group_change = groups.put
            updates.listen(reader, catch_up.put)
            whole = _Whole(edge, watermark, catch_up, groups, answers)
            await run_all(
                whole.run(account),
                presses.run(),
                rules.keep_current(clock),
                session.until_revoked(api.revoked),
                keep_topology(topology, ensure, clock=retrying.clock, on_recreated=whole.on_store_recreated),
            )


async def _ensure(topology: Topology, account: str) -> None:
    """Create the streams, buckets and the consumer that are missing. Raises TransportError."""
    await topology.ensure_streams()
    await topology.ensure_buckets()
    await topology.ensure_edge(account)


@dataclass(frozen=True, slots=True)
class _Whole:
    """The edge and what brings it the account's changes."""

    edge: AccountEdge
    watermark: Watermark
    catch_up: CatchUp
    groups: GroupCatchUps
    answers: Callable[[], None]
    """Called once messages are being taken in."""

    async def run(self, account: str) -> None:
        """Run until cancelled. Raises the first error of any part."""
        try:
            # An earlier version may have left unfinished chats that are not in the index.
            await self.edge.resume(outdated=self.watermark.is_of_earlier_version)
            await run_all(
                self.edge.run(),
                self.catch_up.run(),
                self.groups.run(),
                self._release_drivers(),
                self._report_ready(account),
            )
        finally:
            await finish(CLEAN_UP, self._stop())

    def on_store_recreated(self) -> None:
        """Restore what NATS has lost."""
        self.catch_up.on_store_recreated()
        self.groups.on_store_recreated()
        self.edge.on_store_recreated()

    async def _release_drivers(self) -> None:
        await self.catch_up.wait_until_caught_up()
        await self.groups.wait_until_caught_up()
        self.edge.release()

    async def _report_ready(self, account: str) -> None:
        await self.catch_up.wait_until_begun()
        self.answers()
        log.info("userbot.ready", account=account)

    async def _stop(self) -> None:
        await self.edge.stop()
        await run_all(self.catch_up.stop(), self.groups.stop())


async def _receive(edge: AccountEdge, content: Keyed) -> None:
    if isinstance(content, Change):
        await edge.receive(content)


def _owner_chat(settings: UserbotSettings, account: str, *, is_bot: bool) -> str | None:
    """Return the chat with the owner: a user account's own chat, a bot's chat with its owner, if that is known.

    Raises SettingsError if the owner has to be known.
    """
    if not is_bot:
        return account
    if settings.owner is None and settings.wants_approval:
        raise SettingsError(NOBODY_APPROVES)
    return str(settings.owner) if settings.owner else None
