"""Answers while they are written, on core NATS: nothing is stored, and what nobody hears is lost."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from events import subjects
from events.event import NATS_PREFIX, Event, from_headers, to_headers
from events.jetstream.listening import listening

log = structlog.get_logger(__name__)


class JetStreamProgress:
    """Implements `events.transport.Progress`."""

    def __init__(self, js: JetStreamContext) -> None:
        # The context has no public way to its connection.
        self._nats = js._nc

    async def tell(self, event: Event) -> None:
        """Lost while there is no connection: an old text is no news."""
        subject = subjects.progress(event.request_id)
        if not self._nats.is_connected:
            return
        try:
            await self._nats.publish(subject, event.body, headers=to_headers(event, NATS_PREFIX))
        except (NatsError, OSError) as error:
            log.debug("progress.lost", request_id=event.subject, error=str(error))


@asynccontextmanager
async def progressing(js: JetStreamContext, account: str, hear: Callable[[Event], None]) -> AsyncIterator[None]:
    """Meanwhile `hear` gets what is written for the account, in the order in which each worker wrote it."""

    async def take(message: Msg) -> None:
        place = subjects.request_id_of(message.subject)
        hear(from_headers(message.headers or {}, message.data, NATS_PREFIX, place=place))

    async with listening(js, subjects.account_progress(account), take):
        yield
