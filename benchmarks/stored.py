"""A store as months of use leave it: a record for each chat, and the events of those that asked within the last day."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

import nats
from nats.js import JetStreamContext

from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer, embedded
from edge.userbot.chat.record import ChatRecord
from events import subjects
from events.event import NATS_PREFIX, Event, to_headers
from events.ids import RequestId
from events.jetstream.configs import consumer_config
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import EventData, FinishReason, GenerationCompleted, GenerationRequested, Role, Turn
from events.transport import Channel

BATCH = 2000
"""Messages before a confirmation: the server drops what it can't keep up with."""
ASKED_TODAY = 100_000
"""Chats whose last request and reply are in the streams, however many chats have a record."""
FIRST_CHAT = 2_000_000_000
TURNS = 4
TEXT = "Как дела? Что нового у вас там на работе? "

Message = tuple[str, bytes, dict[str, str] | None]


@asynccontextmanager
async def stored(
    directory: Path, account: str, *, chats: int, own: Mapping[str, ChatRecord], asked_today: int = ASKED_TODAY
) -> AsyncIterator[EmbeddedServer]:
    """A server with `chats` records of `account`, `own` (by chat) among them; it syncs every write from now on.

    The streams have the events of `own` and of `asked_today` other chats.
    """
    # What is lost in a benchmark is made again, and a sync for each record would take longer than all the rest.
    async with EmbeddedServer(directory, configured=_unsynced) as server:
        await _fill(server.url, account, named(chats, own), own, [*own, *_named(asked_today)])
    async with EmbeddedServer(directory) as server:
        yield server


def at_rest() -> ChatRecord:
    """A chat that has asked a few questions."""
    roles = (Role.USER, Role.ASSISTANT) * (TURNS // 2)
    return ChatRecord(history=tuple(Turn(role=role, text=TEXT) for role in roles), seen=(1, 4))


def _unsynced(port: int, store: Path) -> str:
    return embedded(port, store).replace("sync_interval: always", "sync_interval: 10m")


def named(chats: int, own: Iterable[str]) -> list[str]:
    """So many chats, `own` spread among the others."""
    names = _named(chats)
    ours = list(own)
    for number, name in enumerate(ours):
        names[number * chats // len(ours)] = name
    return names


def _named(chats: int) -> list[str]:
    return [str(FIRST_CHAT + number) for number in range(chats)]


async def _fill(
    url: str, account: str, names: Sequence[str], own: Mapping[str, ChatRecord], asked: Sequence[str]
) -> None:
    async with connect(url, name="setup") as js:
        topology = Topology(js, retrying=Retrying(SystemClock(), Random()))  # noqa: S311 - jitter, not a secret
        await topology.ensure_streams()
        await topology.ensure_buckets()
        await topology.ensure_bridge()
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        await _publish(js, _records(account, names, own))
        for channel in (Channel.REQUESTS, Channel.REPLIES):
            await _publish(js, _events(channel, account, asked))
            await _settle(js, channel, account)
        found = await js.stream_info(f"KV_{subjects.CHATS_BUCKET}")
        if found.state.messages != len(names):
            raise RuntimeError(f"{found.state.messages} of {len(names)} records were stored")
    finally:
        await client.close()


def _records(account: str, names: Iterable[str], own: Mapping[str, ChatRecord]) -> Iterator[Message]:
    theirs = at_rest().to_json()
    for name in names:
        value = own[name].to_json() if name in own else theirs
        yield f"$KV.{subjects.CHATS_BUCKET}.{account}.{name}", value, None


def _events(channel: Channel, account: str, names: Iterable[str]) -> Iterator[Message]:
    for name in names:
        request_id = RequestId(account, name, "4")
        event = Event.of(_data(channel, request_id), source="/bench", time=datetime.now(UTC))
        yield subjects.subject(channel, request_id), event.body, to_headers(event, NATS_PREFIX)


def _data(channel: Channel, request_id: RequestId) -> EventData:
    if channel is Channel.REPLIES:
        return GenerationCompleted(
            request_id=str(request_id), text=TEXT, finish_reason=FinishReason.STOP, model="bench"
        )
    return GenerationRequested(
        request_id=str(request_id),
        account_id=request_id.account,
        chat_id=request_id.chat,
        message_id=request_id.message,
        turns=at_rest().history[:-1],
        deadline=datetime.now(UTC),
    )


async def _settle(js: JetStreamContext, channel: Channel, account: str) -> None:
    """Whoever takes from the channel has been through with it."""
    durable, filter_subject = (
        (subjects.GENERATE_CONSUMER, subjects.every_subject(channel))
        if channel is Channel.REQUESTS
        else (subjects.edge_consumer(account), subjects.account_subjects(channel, account))
    )
    stream = await js.stream_info(subjects.stream(channel))
    config = consumer_config(durable, filter_subject, start=stream.state.last_seq + 1)
    await js.add_consumer(subjects.stream(channel), config)


async def _publish(js: JetStreamContext, messages: Iterable[Message]) -> None:
    """The last one of a batch is confirmed, which all before it are then as well."""
    left, stored_ = iter(messages), 0
    while batch := list(islice(left, BATCH)):
        for subject, value, headers in batch[:-1]:
            await js._nc.publish(subject, value, headers=headers)
        subject, value, headers = batch[-1]
        await js.publish(subject, value, headers=headers)
        stored_ += len(batch)
        tell(f"storing, {stored_:,} so far")
