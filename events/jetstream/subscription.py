"""A subscription to a durable pull consumer, which delivers only as fast as messages are fetched."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from random import Random

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from events import subjects
from events.errors import TransportError
from events.event import NATS_PREFIX, Event, from_headers
from events.faults import Fault
from events.jetstream.api import client_of, stream_times
from events.jetstream.client import NotPermitted
from events.jetstream.configs import ACK_WAIT
from events.jetstream.faults import translate_errors
from events.jetstream.receiver import PullReceiver
from events.transport import MAX_FETCH_WAIT, Channel

log = structlog.get_logger(__name__)

ACK_TIMEOUT = 2
"""Seconds to wait for a confirmed acknowledgement."""


class JetStreamDelivery:
    """Implements `events.transport.Delivery`."""

    def __init__(self, message: Msg, js: JetStreamContext) -> None:
        self._message = message
        self._js = js
        metadata = message.metadata
        self.attempt: int = metadata.num_delivered or 1
        self.published_at: datetime = metadata.timestamp
        self.event: Event = from_headers(
            message.headers or {},
            message.data,
            NATS_PREFIX,
            place=subjects.request_id_of(message.subject),
            received=self.published_at,
        )

    async def age(self) -> timedelta | None:
        stream = self._message.metadata.stream
        with translate_errors(f"{self.event.id}: NATS did not say how old it is"):
            now = (await stream_times(self._js, stream)).now
        return now - self.published_at if now else None

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

    def __init__(self, js: JetStreamContext, receiver: PullReceiver) -> None:
        self._js = js
        self._nats = client_of(js)
        self._receiver = receiver

    @classmethod
    async def bind(
        cls, js: JetStreamContext, channel: Channel, consumer: str, *, random: Random
    ) -> "JetStreamSubscription":
        """Subscribe to an existing consumer (topology)."""
        nats = client_of(js)
        return cls(js, await PullReceiver.open(nats, subjects.stream(channel), consumer, random=random))

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[JetStreamDelivery]:
        """Raises TransportError if this user may not fetch, which would otherwise look like silence."""
        since = self._nats.now
        messages = await self._receiver.fetch(limit, min(timeout, MAX_FETCH_WAIT))
        if not messages:
            try:
                self._nats.check(self._receiver.subject, since)
            except NotPermitted as error:
                raise TransportError(str(error), Fault.FATAL) from None
        return _deliveries(messages, self._js)

    async def leave(self, *, last_attempt: int) -> Sequence[JetStreamDelivery]:
        """Stop receiving, and return what still arrives to the consumer at once. Takes up to a second."""
        arrived = _deliveries(await self._receiver.stop(), self._js)
        for delivery in arrived:
            if delivery.attempt < last_attempt:
                await _hand_back(delivery)
        return [delivery for delivery in arrived if delivery.attempt >= last_attempt]


async def _hand_back(delivery: JetStreamDelivery) -> None:
    try:
        await delivery.retry(timedelta(0))
    except TransportError as error:
        log.warning("nats.not_handed_back", error=str(error))


def _deliveries(messages: Iterable[Msg], js: JetStreamContext) -> list[JetStreamDelivery]:
    """Return the deliveries; skip messages that did not come from a stream."""
    deliveries = []
    for message in messages:
        try:
            deliveries.append(JetStreamDelivery(message, js))
        except (NatsError, ValueError, IndexError, OverflowError) as error:
            log.warning("nats.no_delivery", error=str(error) or type(error).__name__)
    return deliveries
