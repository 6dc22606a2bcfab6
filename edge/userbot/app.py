"""`timokha userbot`: the composition root of the edge."""

import asyncio
from collections.abc import Coroutine
from random import Random

import structlog

from edge.userbot.catch_up import CatchUp
from edge.userbot.chats import Chats
from edge.userbot.door import Door
from edge.userbot.drivers import Drivers
from edge.userbot.receiving import Rules
from edge.userbot.replies import Replies
from edge.userbot.session import make_client, started
from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import reconnecting
from edge.userbot.telegram.account import TelegramAccount
from edge.userbot.telegram.calls import Calls, SessionRevoked
from edge.userbot.telegram.messenger import Telegram
from edge.userbot.telegram.updates import Updates
from edge.userbot.watermark import Watermark
from edge.userbot.world import World
from events import subjects
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.progress import progressing
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.jetstream.wakeups import waking
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from observability.telemetry import Telemetry

log = structlog.get_logger(__name__)


async def main(settings: UserbotSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Answer until `stop` is set: from then on everything is left as it is, and the next start takes it up."""
    answering = asyncio.create_task(_answer(settings, telemetry))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            await answering
    finally:
        answering.cancel()
        stopping.cancel()
        await asyncio.gather(answering, stopping, return_exceptions=True)


async def _answer(settings: UserbotSettings, telemetry: Telemetry) -> None:
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    client = make_client(settings)
    calls = Calls(client, flood_waited=telemetry.metrics.flood_waited)
    updates = Updates(client, groups=settings.answer_groups, bots=settings.answer_bots)
    reconnecting.pace_connections()
    async with connect(settings.nats_url, name="userbot", access=settings.nats_access) as js:
        topology = Topology(js)
        await topology.ensure_streams()
        await topology.ensure_buckets()
        async with started(client) as account:
            reconnecting.watch(client, reconnected=updates.reconnected, revoked=calls.revoked)
            await topology.ensure_edge(account)
            world = World(
                account=account,
                chats=Chats(await JetStreamRecords.open(js, subjects.CHATS_BUCKET), account, retrying=retrying),
                log=JetStreamLog(js),
                messenger=Telegram(client, calls, rate=settings.sends_per_second, changed=updates.take),
                sampling=settings.sampling,
                deadline=settings.deadline,
                telemetry=telemetry,
                retrying=retrying,
            )
            drivers = Drivers(world)
            catch_up = CatchUp(
                TelegramAccount(calls, account, groups=settings.answer_groups, bots=settings.answer_bots),
                Watermark(await JetStreamRecords.open(js, subjects.TELEGRAM_BUCKET), account, retrying=retrying),
                Door(world, drivers, _rules(settings)).receive,
                retrying=retrying,
                window=settings.catch_up_window,
                fetched=telemetry.metrics.caught_up,
            )
            subscription = await JetStreamSubscription.bind(js, Channel.REPLIES, subjects.edge_consumer(account))
            await drivers.resume()
            updates.listen(account, catch_up.put)
            log.info("userbot.ready", account=account)
            try:
                async with waking(js, account, drivers.wake), progressing(js, account, drivers.hear):
                    await _until_first_ends(
                        catch_up.run(), Replies(world, drivers, subscription).run(), _until_revoked(calls.revoked)
                    )
            finally:
                await drivers.stop()
                await catch_up.stop()


async def _until_first_ends(*running: Coroutine[None, None, None]) -> None:
    """None of them ends but by an error."""
    tasks = [asyncio.create_task(coroutine) for coroutine in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_revoked(revoked: asyncio.Event) -> None:
    await revoked.wait()
    raise SessionRevoked("Telegram has ended the session; sign in again with `timokha userbot` in a terminal")


def _rules(settings: UserbotSettings) -> Rules:
    return Rules(
        prefix=settings.prefix,
        when_busy=settings.when_busy,
        deadline=settings.deadline,
        catch_up_window=settings.catch_up_window,
        locale=settings.language,
        live=settings.live,
    )
