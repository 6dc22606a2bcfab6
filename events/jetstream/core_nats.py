"""Hints on core NATS: wake an edge for a chat, pass on partial answers, notice published events.

Hints are not stored and may be lost, so nothing depends on them.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from events import subjects
from events.event import NATS_PREFIX, Event, from_headers, to_headers
from events.jetstream.api import client_of
from events.jetstream.faults import ERRORS
from events.runtime.tasks import finish
from events.transport import Channel

TIMEOUT = 2
"""Seconds for an edge to confirm a hint."""
GOODBYE = timedelta(seconds=1)
"""To unsubscribe. A server that misses this notices the end of the connection."""
REPLY_SUBJECT = re.compile(r"_INBOX(_\w+)?\.|_R_\.")
"""Prefixes of reply subjects: a client's own, or the server's for a client of another account."""


log = structlog.get_logger(__name__)


@asynccontextmanager
async def listen(js: JetStreamContext, subject: str, handle: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
    """Within the block call `handle` with every message under `subject`."""
    subscription = await client_of(js).subscribe(subject, cb=handle)
    try:
        yield
    finally:
        await finish(GOODBYE, subscription.unsubscribe())


@asynccontextmanager
async def listen_for_wakes(js: JetStreamContext, account: str, wake: Callable[[str], None]) -> AsyncIterator[None]:
    """Within the block call `wake` with the text of every hint: a chat, unless the sender is malicious."""

    async def handle(message: Msg) -> None:
        wake(message.data.decode(errors="replace"))
        # The sender chooses the reply subject, to which this process publishes with its own rights.
        if REPLY_SUBJECT.match(message.reply):
            await message.respond(b"")

    async with listen(js, subjects.wake(account), handle):
        yield


async def wake(js: JetStreamContext, account: str, chat: str) -> bool:
    """Send a hint; return whether an edge has confirmed it."""
    try:
        await client_of(js).request(subjects.wake(account), chat.encode(), timeout=TIMEOUT)
    except ERRORS:
        return False
    return True


class JetStreamProgress:
    """Implements `events.transport.Progress`."""

    def __init__(self, js: JetStreamContext) -> None:
        self._nats = client_of(js)

    async def publish(self, event: Event) -> None:
        """Drop the event while there is no connection: a newer one will follow."""
        subject = subjects.progress(event.request_id)
        if not self._nats.is_connected:
            return
        try:
            await self._nats.publish(subject, event.body, headers=to_headers(event, NATS_PREFIX))
        except ERRORS as error:
            log.debug("progress.lost", request_id=event.subject, error=str(error))


@asynccontextmanager
async def listen_for_progress(
    js: JetStreamContext, account: str, on_progress: Callable[[Event], None]
) -> AsyncIterator[None]:
    """Within the block call `on_progress` with partial answers for the account, those of each worker in order."""

    async def take(message: Msg) -> None:
        place = subjects.request_id_of(message.subject)
        on_progress(from_headers(message.headers or {}, message.data, NATS_PREFIX, place=place))

    async with listen(js, subjects.account_progress(account), take):
        yield


@asynccontextmanager
async def listen_for_events(
    js: JetStreamContext, channel: Channel, on_published: Callable[[str], None]
) -> AsyncIterator[None]:
    """Within the block call `on_published` with request ids of published events; some are not stored yet, or missed."""

    async def handle(message: Msg) -> None:
        on_published(subjects.request_id_of(message.subject))

    async with listen(js, subjects.every_subject(channel), handle):
        yield
