"""Hints on core NATS: nothing is stored, and what nobody hears is lost, so nothing depends on them.

An edge is woken for a chat, answers are followed while they are written, events are heard as they are published.
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
"""Seconds that an edge may take to say that it has heard."""
GOODBYE = timedelta(seconds=1)
"""To unsubscribe. A server that does not get that notices the end of the connection."""
ANSWERED = re.compile(r"_INBOX(_\w+)?\.|_R_\.")
"""How subjects start on which a client hears answers: its own, or the server's for a client of another account."""


log = structlog.get_logger(__name__)


@asynccontextmanager
async def listen(js: JetStreamContext, subject: str, hear: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
    """Inside the context, call `hear` with every message under `subject`."""
    subscription = await client_of(js).subscribe(subject, cb=hear)
    try:
        yield
    finally:
        await finish(GOODBYE, subscription.unsubscribe())


@asynccontextmanager
async def listen_for_wakes(js: JetStreamContext, account: str, wake: Callable[[str], None]) -> AsyncIterator[None]:
    """Meanwhile `wake` gets the text of every hint: a chat, if its sender means well."""

    async def hear(message: Msg) -> None:
        wake(message.data.decode(errors="replace"))
        # The sender chooses where the answer goes, and it goes there with this user's rights.
        if ANSWERED.match(message.reply):
            await message.respond(b"")

    async with listen(js, subjects.wake(account), hear):
        yield


async def wake(js: JetStreamContext, account: str, chat: str) -> bool:
    """Whether an edge has heard."""
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
        """Lost while there is no connection: an old text is no news."""
        subject = subjects.progress(event.request_id)
        if not self._nats.is_connected:
            return
        try:
            await self._nats.publish(subject, event.body, headers=to_headers(event, NATS_PREFIX))
        except ERRORS as error:
            log.debug("progress.lost", request_id=event.subject, error=str(error))


@asynccontextmanager
async def listen_for_progress(js: JetStreamContext, account: str, hear: Callable[[Event], None]) -> AsyncIterator[None]:
    """Meanwhile `hear` gets what is written for the account, in the order in which each worker wrote it."""

    async def take(message: Msg) -> None:
        place = subjects.request_id_of(message.subject)
        hear(from_headers(message.headers or {}, message.data, NATS_PREFIX, place=place))

    async with listen(js, subjects.account_progress(account), take):
        yield


@asynccontextmanager
async def listen_for_events(
    js: JetStreamContext, channel: Channel, heard: Callable[[str], None]
) -> AsyncIterator[None]:
    """`heard` gets the request id of whatever anybody publishes meanwhile; it may not be stored yet, or be missed."""

    async def hear(message: Msg) -> None:
        heard(subjects.request_id_of(message.subject))

    async with listen(js, subjects.every_subject(channel), hear):
        yield
