"""A durable pull consumer: deliveries come only as fast as they are asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from events import subjects
from events.errors import TransportError
from events.event import NATS_PREFIX, Event, from_headers
from events.jetstream.client import Client, NotPermitted
from events.jetstream.topology import ACK_WAIT
from events.transport import MAX_FETCH_WAIT, Channel

log = structlog.get_logger(__name__)

ACK_TIMEOUT = 2
"""Seconds to wait for a confirmed acknowledgement."""


class JetStreamDelivery:
    """Implements `events.transport.Delivery`."""

    def __init__(self, message: Msg) -> None:
        self._message = message
        metadata = message.metadata
        self.attempt: int = metadata.num_delivered or 1
        self.published_at: datetime = metadata.timestamp
        self.event: Event = from_headers(
            message.headers or {}, message.data, NATS_PREFIX, subject=subjects.request_id_of(message.subject)
        )

    async def extend(self) -> None:
        await self._settle(self._message.in_progress())

    async def ack(self) -> None:
        await self._settle(self._message.ack_sync(timeout=ACK_TIMEOUT))

    async def retry(self, delay: timedelta) -> None:
        await self._settle(self._message.nak(delay=delay.total_seconds()))

    async def discard(self) -> None:
        await self._settle(self._message.term())

    async def _settle(self, settling: object) -> None:
        try:
            await settling  # type: ignore[misc]
        except (NatsError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise TransportError(
                f"{self.event.id} could not be settled ({reason}); it will be delivered again"
            ) from None


class JetStreamSubscription:
    """Implements `events.transport.Subscription`."""

    lease = ACK_WAIT

    def __init__(self, js: JetStreamContext, channel: Channel, pull: JetStreamContext.PullSubscription) -> None:
        # The context has no public way to its connection.
        self._nats = cast(Client, js._nc)
        self._asked = f"$JS.API.CONSUMER.MSG.NEXT.{subjects.stream(channel)}."
        self._pull = pull

    @classmethod
    async def bind(cls, js: JetStreamContext, channel: Channel, durable: str) -> "JetStreamSubscription":
        """The durable consumer must exist (topology)."""
        return cls(js, channel, await js.pull_subscribe_bind(durable=durable, stream=subjects.stream(channel)))

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[JetStreamDelivery]:
        """Raises TransportError if this user may not: that looks like silence otherwise."""
        wait, since = min(timeout, MAX_FETCH_WAIT).total_seconds(), self._nats.now
        try:
            messages = await self._pull.fetch(limit, timeout=wait)
        except TimeoutError:
            self._check(since)
            return []
        except (NatsError, OSError) as error:
            log.warning("nats.fetch_failed", error=str(error) or type(error).__name__)
            return []
        return [JetStreamDelivery(message) for message in messages]

    def _check(self, since: float) -> None:
        try:
            self._nats.check(self._asked, since)
        except NotPermitted as error:
            raise TransportError(str(error)) from None
