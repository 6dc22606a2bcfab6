"""`timokha userbot`: the composition root of the edge."""

import asyncio
from pathlib import Path

import structlog

from edge.userbot.chats import Chats
from edge.userbot.door import Door
from edge.userbot.driver import World
from edge.userbot.drivers import Drivers
from edge.userbot.receiving import Rules
from edge.userbot.replies import Replies
from edge.userbot.session import make_client, started
from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import Listener, SessionRevoked, Telegram
from events import subjects
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.transport import Channel
from observability.telemetry import Telemetry

log = structlog.get_logger(__name__)


async def main(settings: UserbotSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Answer until `stop` is set."""
    client = make_client(settings)
    listener = Listener(client, groups=settings.answer_groups, bots=settings.answer_bots)
    credentials = Path(settings.nats_credentials) if settings.nats_credentials else None
    async with connect(settings.nats_url, name="userbot", credentials=credentials) as js:
        topology = Topology(js)
        await topology.ensure_streams()
        await topology.ensure_buckets()
        async with started(client) as account:
            await topology.ensure_edge(account)
            telegram = Telegram(client, account, flood_waited=telemetry.metrics.flood_waited)
            world = World(
                account=account,
                chats=Chats(await JetStreamRecords.open(js, subjects.CHATS_BUCKET), account),
                log=JetStreamLog(js),
                messenger=telegram,
                sampling=settings.sampling,
                deadline=settings.deadline,
                telemetry=telemetry,
            )
            replies = await JetStreamSubscription.bind(js, Channel.REPLIES, subjects.edge_consumer(account))
            await _answer(world, _rules(settings), replies, listener=listener, telegram=telegram, stop=stop)


async def _answer(
    world: World,
    rules: Rules,
    subscription: JetStreamSubscription,
    *,
    listener: Listener,
    telegram: Telegram,
    stop: asyncio.Event,
) -> None:
    drivers = Drivers(world)
    await drivers.resume()
    listener.listen(world.account, Door(world, drivers, rules).receive)
    log.info("userbot.ready", account=world.account)
    replies = asyncio.create_task(Replies(world, drivers, subscription).run(stop))
    revoked = asyncio.create_task(telegram.revoked.wait())
    try:
        await asyncio.wait({replies, revoked}, return_when=asyncio.FIRST_COMPLETED)
        if telegram.revoked.is_set():
            raise SessionRevoked("Telegram has ended the session; sign in again with `timokha userbot` in a terminal")
        await replies
    finally:
        replies.cancel()
        revoked.cancel()
        await drivers.stop()


def _rules(settings: UserbotSettings) -> Rules:
    return Rules(
        prefix=settings.prefix,
        when_busy=settings.when_busy,
        deadline=settings.deadline,
        catch_up_window=settings.catch_up_window,
        locale=settings.language,
    )
