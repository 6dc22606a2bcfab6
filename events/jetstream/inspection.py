"""Inspect JetStream without changing it: what is missing, damaged or wrong, and how full the streams are."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from nats.js import JetStreamContext
from nats.js.api import StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from events import subjects
from events.errors import TransportError
from events.jetstream.api import client_of, stream_times, subjects_of, write_problem
from events.jetstream.client import payload_problem
from events.jetstream.configs import Retention, stream_config, verify_marks, verify_stream, verify_writable
from events.jetstream.damage import dropped_at_start
from events.jetstream.faults import translate_errors
from events.runtime.clock import Clock
from events.transport import Channel

RESTART = "its log says more; after a full disk make room, then restart nats-server"
READ_MORE = "what was stored last in it may be gone, see docs/delivery.md#disk"


@dataclass(frozen=True, slots=True)
class JetStreamInspection:
    """What was found. `faults` has one line for each problem, `fill` the used part of streams' `max_bytes`, 0 to 1.

    `without_consumer` names the accounts that have a userbot but no consumer for its replies.
    """

    missing: tuple[str, ...]
    without_consumer: tuple[str, ...]
    faults: tuple[str, ...]
    fill: Mapping[str, float]
    is_empty: bool
    """Whether none of our streams and buckets exist."""


async def inspect(js: JetStreamContext, *, may_remove: Collection[str] | None = None) -> JetStreamInspection:
    """Inspect streams, consumers and buckets. Raises TransportError if JetStream is off or refuses this user.

    `may_remove`: the streams from which this user may remove messages, None for all. Only they are asked whether they
    can be written.
    """
    with translate_errors("JetStream can't be looked at"):
        await js.account_info()
        streams = {channel: await _stream(js, subjects.stream(channel)) for channel in Channel}
        missing = [f"stream {subjects.stream(channel)}" for channel, info in streams.items() if info is None]
        if not await _has_consumer(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER):
            missing.append(f"consumer {subjects.GENERATE_CONSUMER}")
        buckets = {bucket: await _stream(js, f"KV_{bucket}") for bucket in subjects.BUCKETS}
        missing += [f"bucket {bucket}" for bucket, info in buckets.items() if info is None]
        without_consumer = [
            account
            for account in await _accounts(js)
            if not await _has_consumer(js, Channel.REPLIES, subjects.edge_consumer(account))
        ]
    found = {channel: info for channel, info in streams.items() if info is not None}
    named = {f"stream {subjects.stream(channel)}": info for channel, info in found.items()}
    named |= {f"bucket {bucket}": info for bucket, info in buckets.items() if info is not None}
    asked = {what: info.config.name or "" for what, info in named.items()}
    unwritable = await find_unwritable(
        js, {what: name for what, name in asked.items() if may_remove is None or name in may_remove}
    )
    small = payload_problem(client_of(js).max_payload)
    return JetStreamInspection(
        tuple(missing),
        tuple(without_consumer),
        (
            *_faults(found, buckets),
            *unwritable.values(),
            *await _damaged(js, {what: info for what, info in named.items() if what not in unwritable}),
            *_nodes_behind(named.values()),
            *([small] if small else []),
        ),
        _fill(found),
        is_empty=not found and not any(buckets.values()),
    )


async def clock_offset(js: JetStreamContext, clock: Clock) -> timedelta:
    """Return how far `clock` is ahead of NATS'; 0 if NATS does not say. Raises TransportError, also without streams."""
    with translate_errors("NATS did not say what time it is"):
        now = (await stream_times(js, subjects.stream(Channel.REQUESTS))).now
    return clock.now() - now if now else timedelta(0)


async def _stream(js: JetStreamContext, name: str) -> StreamInfo | None:
    try:
        return await js.stream_info(name)
    except NotFoundError:
        return None


async def _has_consumer(js: JetStreamContext, channel: Channel, durable: str) -> bool:
    try:
        await js.consumer_info(subjects.stream(channel), durable)
    except NotFoundError:
        return False
    return True


async def _accounts(js: JetStreamContext) -> list[str]:
    """Return the accounts whose userbots have stored their position in Telegram, and which have chats of their own.

    A bot that people connect to their accounts has none: theirs have, and get their consumers from `timokha business`.
    """
    positions = await _keys(js, subjects.TELEGRAM_BUCKET, "")
    with_chats = await _keys(js, subjects.MARKS_BUCKET, subjects.INDEX_MARK)
    return [account for account in positions if account in with_chats]


async def _keys(js: JetStreamContext, bucket: str, prefix: str) -> list[str]:
    """Return what follows `prefix` in the keys of a bucket, if that is one token. None if there is no bucket."""
    root = f"$KV.{bucket}.{prefix}"
    try:
        found = await subjects_of(js, f"KV_{bucket}", f"{root}*")
    except NotFoundError:
        return []
    return [subject.removeprefix(root) for subject in found]


def _faults(streams: Mapping[Channel, StreamInfo], buckets: Mapping[str, StreamInfo | None]) -> Iterator[str]:
    for channel, info in streams.items():
        yield from _fault(partial(verify_stream, stream_config(channel, Retention())), info)
    for bucket, found in buckets.items():
        if found:
            verify = verify_marks if bucket == subjects.MARKS_BUCKET else verify_writable
            yield from _fault(partial(verify, f"bucket {bucket}"), found)


def _fault(verify: Callable[[StreamConfig], None], info: StreamInfo) -> Iterator[str]:
    try:
        verify(info.config)
    except TransportError as error:
        yield str(error)


async def find_unwritable(js: JetStreamContext, streams: Mapping[str, str]) -> dict[str, str]:
    """Return a line for each stream that can't be written. `streams`: their names, by what they are called in lines.

    This user must have the right to remove something from them. Raises TransportError.
    """
    with translate_errors("JetStream can't be asked whether it can write"):
        problems = await asyncio.gather(*(write_problem(js, stream) for stream in streams.values()))
    return {
        what: f"{what} takes nothing in, nats-server can't write to its files ({why}): {RESTART}"
        for what, why in zip(streams, problems, strict=True)
        if why
    }


async def _damaged(js: JetStreamContext, named: Mapping[str, StreamInfo]) -> list[str]:
    """Return a line for each. One that can't be written is not asked: of a failed write a part counts as lost."""
    found = []
    with translate_errors("JetStream can't be asked what it has lost"):
        for what, info in named.items():
            if loss := await dropped_at_start(js, info):
                found.append(f"{what}: {loss}; {READ_MORE}; the next start of nats-server ends this line")
    return found


def _nodes_behind(infos: Collection[StreamInfo]) -> Iterator[str]:
    peers = [peer for info in infos if info.cluster for peer in info.cluster.replicas or ()]
    if behind := sorted({peer.name or "?" for peer in peers if not peer.current}):
        yield (
            f"NATS: {', '.join(behind)} of the cluster is not up to date: it is away, JetStream is off there, or it is"
            " catching up; if that lasts, its log says why"
        )


def _fill(streams: Mapping[Channel, StreamInfo]) -> dict[str, float]:
    return {
        subjects.stream(channel): info.state.bytes / info.config.max_bytes
        for channel, info in streams.items()
        if info.config.max_bytes and info.config.max_bytes > 0
    }
