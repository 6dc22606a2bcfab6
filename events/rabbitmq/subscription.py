"""The requests queue as a place to work from: a lease like JetStream's, and retries that wait."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from events.errors import TransportError
from events.event import Event
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.rabbitmq.sender import Sender
from events.runtime.clock import Clock
from events.runtime.tasks import within

SHORT, LONG = 0.05, 0.1
"""Seconds from taking a request to settling it, on average: below the one begin, above the other end to be ahead."""

WEIGHT = 0.2
"""Of the latest request in the average."""


class Prefetching:
    """Whether the next request should be here before a slot is free for it: `wanted`, learned from every request.

    Its way from the broker takes a few milliseconds, which count where a request takes 20. Where one takes seconds they
    do not, and the next would wait behind it while other workers are idle.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._mean: float | None = None

    def record(self, seconds: float) -> None:
        """A request is done."""
        self._mean = seconds if self._mean is None else self._mean + WEIGHT * (seconds - self._mean)
        self.wanted = self._mean < (LONG if self.wanted else SHORT)


LEASE = timedelta(seconds=10)
"""RabbitMQ has none: it redelivers when the connection ends. Within a living process a timer stands in for it."""

WHEN_ALL_ARE_BUSY = -1
"""Priority of a consumer without a slot: an idle worker anywhere comes first."""

ADJUST_TIMEOUT = timedelta(seconds=1)
"""What was fetched meanwhile waits."""

log = structlog.get_logger(__name__)


class RabbitMQDelivery:
    """Implements `events.transport.Delivery`."""

    def __init__(
        self, received: ReceivedMessage, sender: Sender, lease: timedelta, ahead: Prefetching, clock: Clock
    ) -> None:
        self.event: Event = received.message.event()
        self.attempt: int = received.message.attempts + 1
        self.published_at: datetime = received.message.sent_at or self.event.time
        self._received = received
        self._sender = sender
        self._length = lease
        self._ahead = ahead
        self._clock = clock
        self._taken = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._expiring: asyncio.Task[None] | None = None
        self._start_lease()

    async def extend(self) -> None:
        self._start_lease()

    async def ack(self) -> None:
        self._end_lease()
        self._ahead.record(self._clock.monotonic() - self._taken)
        await self._received.ack()

    async def retry(self, delay: timedelta) -> None:
        self._end_lease()
        if delay <= timedelta(0):
            await self._received.requeue()
            return
        again = AmqpMessage.of(self.event, reply_to=self._received.message.reply_to, attempts=self.attempt)
        try:
            await self._sender.send(topology.retry_queue(delay).name, again)
        except TransportError:
            # Still unsettled, so it must come back some other way.
            self._start_lease()
            raise
        await self._received.ack()

    async def discard(self) -> None:
        await self.ack()

    def _start_lease(self) -> None:
        self._end_lease()
        self._timer = asyncio.get_running_loop().call_later(self._length.total_seconds(), self._expire)

    def _end_lease(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _expire(self) -> None:
        self._expiring = asyncio.create_task(self._hand_back())

    async def _hand_back(self) -> None:
        try:
            await self._received.requeue()
        except TransportError as error:
            log.info("lease.over", request_id=self.event.subject, error=str(error))


class RabbitMQSubscription:
    """Implements `events.transport.Subscription`.

    One consumer a slot, each with one message: so the queue's consumer count is the pool's size, which the bridge
    reads, and RabbitMQ spreads the load by slots. Two a slot while requests are short (`Prefetching`).
    """

    def __init__(self, receiver: Receiver, broker: Broker, *, slots: int, lease: timedelta) -> None:
        self._receiver = receiver
        self._slots = slots
        self._ahead = Prefetching()
        self._broker = broker
        self.lease = lease

    @classmethod
    async def open(cls, broker: Broker, *, slots: int, lease: timedelta = LEASE) -> "RabbitMQSubscription":
        """The queues must exist (topology), and are made again when they have gone. Raises TransportError."""
        receiver = await Receiver.open(broker, topology.REQUESTS, consumers=slots)
        broker.upkeep.keep("our queues", partial(topology.restore, broker.consuming))
        return cls(receiver, broker, slots=slots, lease=lease)

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[RabbitMQDelivery]:
        fetched = await self._receiver.fetch(limit, timeout)
        consumers = self._slots * 2 if self._ahead.wanted else self._slots
        if fetched and consumers != self._receiver.consumers:
            await self._adjust(consumers)
        sender, clock = self._broker.sender, self._broker.clock
        return [RabbitMQDelivery(received, sender, self.lease, self._ahead, clock) for received in fetched]

    async def leave(self) -> None:
        try:
            await self._receiver.stop()
        except TransportError as error:
            log.warning("rabbitmq.not_left", error=str(error))

    async def close(self) -> None:
        """What is unsettled comes again, to whoever is there."""
        await self._receiver.close()

    async def _adjust(self, consumers: int) -> None:
        try:
            await within(ADJUST_TIMEOUT, self._receiver.resize(consumers, priority=WHEN_ALL_ARE_BUSY))
        except (TransportError, OSError) as error:
            # The next fetch tries again.
            log.info("rabbitmq.not_adjusted", error=str(error) or type(error).__name__)
