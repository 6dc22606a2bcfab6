"""A subscription to the requests queue, with leases like JetStream's and delayed retries."""

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
"""Average seconds from receiving a request to settling it: below `SHORT` start prefetching, above `LONG` stop."""

WEIGHT = 0.2
"""Weight of the latest request in the average."""


class Prefetching:
    """Decides from the duration of requests whether to receive the next ones before a slot is free (`wanted`).

    A message takes a few milliseconds from the broker, which matters if a request takes 20. If one takes seconds, a
    prefetched one would wait behind it while other workers are idle.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._mean: float | None = None

    def record(self, seconds: float) -> None:
        """Record the duration of a request."""
        self._mean = seconds if self._mean is None else self._mean + WEIGHT * (seconds - self._mean)
        self.wanted = self._mean < (LONG if self.wanted else SHORT)


LEASE = timedelta(seconds=10)
"""RabbitMQ has no leases: it redelivers when the connection ends. Within a live process a timer emulates them."""

WHEN_ALL_ARE_BUSY = -1
"""Priority of a consumer without a slot, so that idle workers anywhere come first."""

ADJUST_TIMEOUT = timedelta(seconds=1)
"""To change the number of consumers, which delays what was fetched."""

log = structlog.get_logger(__name__)


class RabbitMQDelivery:
    """Implements `events.transport.Delivery`."""

    def __init__(
        self, received: ReceivedMessage, sender: Sender, lease: timedelta, prefetching: Prefetching, clock: Clock
    ) -> None:
        self.event: Event = received.message.event()
        self.attempt: int = received.message.attempts + 1
        self.published_at: datetime = received.message.sent_at or self.event.time
        self._expires_in = received.message.expires_in
        self._received = received
        self._sender = sender
        self._lease = lease
        self._prefetching = prefetching
        self._clock = clock
        self._received_at = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._expiring: asyncio.Task[None] | None = None
        self._start_lease()

    async def age(self) -> timedelta | None:
        """By our clock, unless that can't be right: RabbitMQ would have dropped a message older than its expiry.

        None for a message without one, such as that of a delayed retry.
        """
        here, expires_in = timedelta(seconds=self._clock.monotonic() - self._received_at), self._expires_in
        if expires_in is None:
            return None
        claimed = self._clock.now() - self.published_at
        return claimed if here <= claimed <= here + expires_in else here

    async def extend(self) -> None:
        self._start_lease()

    async def ack(self) -> None:
        self._end_lease()
        self._prefetching.record(self._clock.monotonic() - self._received_at)
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
            # It is still unsettled, so it must be redelivered when the lease expires.
            self._start_lease()
            raise
        await self._received.ack()

    async def discard(self) -> None:
        await self.ack()

    def _start_lease(self) -> None:
        self._end_lease()
        self._timer = asyncio.get_running_loop().call_later(self._lease.total_seconds(), self._expire)

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

    One consumer a slot, each with one message: the queue's consumer count is the size of the pool, which the bridge
    reads, and RabbitMQ balances the load by slots. Two consumers a slot while requests are short (`Prefetching`).
    """

    def __init__(self, receiver: Receiver, broker: Broker, *, slots: int, lease: timedelta) -> None:
        self._receiver = receiver
        self._slots = slots
        self._prefetching = Prefetching()
        self._broker = broker
        self.lease = lease

    @classmethod
    async def open(cls, broker: Broker, *, slots: int, lease: timedelta = LEASE) -> "RabbitMQSubscription":
        """Subscribe to existing queues (topology), which are recreated if they disappear. Raises TransportError."""
        receiver = await Receiver.open(broker, topology.REQUESTS, consumers=slots)
        broker.upkeep.keep("our queues", partial(topology.restore, broker.consuming))
        return cls(receiver, broker, slots=slots, lease=lease)

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[RabbitMQDelivery]:
        fetched = await self._receiver.fetch(limit, timeout)
        consumers = self._slots * 2 if self._prefetching.wanted else self._slots
        if fetched and consumers != self._receiver.consumers:
            await self._adjust(consumers)
        return self._deliveries(fetched)

    async def leave(self, *, last_attempt: int) -> Sequence[RabbitMQDelivery]:
        try:
            return self._deliveries(await self._receiver.stop(last_attempt))
        except TransportError as error:
            log.warning("rabbitmq.not_left", error=str(error))
            return []

    def _deliveries(self, messages: Sequence[ReceivedMessage]) -> list[RabbitMQDelivery]:
        sender, clock = self._broker.sender, self._broker.clock
        return [RabbitMQDelivery(received, sender, self.lease, self._prefetching, clock) for received in messages]

    async def _adjust(self, consumers: int) -> None:
        try:
            await within(ADJUST_TIMEOUT, self._receiver.resize(consumers, priority=WHEN_ALL_ARE_BUSY))
        except (TransportError, OSError) as error:
            # The next fetch retries.
            log.info("rabbitmq.not_adjusted", error=str(error) or type(error).__name__)
