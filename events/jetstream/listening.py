"""Subscribe to a subject of core NATS for a limited time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from events.runtime.tasks import finish

GOODBYE = timedelta(seconds=1)
"""To unsubscribe. A server that does not get that notices the end of the connection."""


@asynccontextmanager
async def listening(js: JetStreamContext, subject: str, hear: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
    """Inside the context, `hear` is called with every message."""
    # The context has no public way to its connection.
    subscription = await js._nc.subscribe(subject, cb=hear)
    try:
        yield
    finally:
        await finish(GOODBYE, subscription.unsubscribe())
