"""Hearing a subject of core NATS for as long as somebody wants to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from events.runtime.tasks import finish

GOODBYE = timedelta(seconds=1)
"""To say that nothing more is wanted. A server that does not hear it notices the connection's end."""


@asynccontextmanager
async def listening(js: JetStreamContext, subject: str, hear: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
    """Meanwhile `hear` gets every message."""
    # The context has no public way to its connection.
    subscription = await js._nc.subscribe(subject, cb=hear)
    try:
        yield
    finally:
        await finish(GOODBYE, subscription.unsubscribe())
