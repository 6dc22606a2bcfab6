"""Hearing of events as they are published, without storing or owing anything: for those who can do without."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from events import subjects
from events.jetstream.listening import listening
from events.transport import Channel


@asynccontextmanager
async def watched(js: JetStreamContext, channel: Channel, heard: Callable[[str], None]) -> AsyncIterator[None]:
    """`heard` gets the request id of whatever anybody publishes meanwhile; it may not be stored yet, or be missed."""

    async def hear(message: Msg) -> None:
        heard(subjects.request_id_of(message.subject))

    async with listening(js, subjects.every_subject(channel), hear):
        yield
