"""Send persistent messages: return when the broker has confirmed, fail if no queue takes the message."""

from datetime import timedelta

from aio_pika.abc import AbstractRobustChannel, AbstractRobustConnection
from aio_pika.exceptions import PublishError

from events import subjects
from events.errors import TransportError
from events.event import Event
from events.faults import Fault
from events.rabbitmq import topology
from events.rabbitmq.faults import ERRORS, RequestRefused, classify
from events.rabbitmq.message import MAX_SHORT, AmqpMessage, encode
from events.rabbitmq.upkeep import Upkeep
from events.runtime.clock import Clock
from events.runtime.tasks import within
from events.transport import Channel, Published

SEND_TIMEOUT = timedelta(seconds=5)
"""To wait for a connection and the confirmation, after which the caller sends the message again."""

MAX_HEADERS = 120 * 1024
"""Bytes. Headers and properties are one frame of at most 128 KiB. On a larger one RabbitMQ closes the connection, and
all messages in flight have to be sent again."""

PER_HEADER = 6
"""Bytes of overhead for each header."""


REFUSED_FOR = timedelta(seconds=5)
"""Time after which a process that may not send ends, before its requests have used up their attempts."""


class Unroutable(TransportError):
    """No queue of this name exists; a retry helps only after it was created."""


class Unsendable(RequestRefused):
    """RabbitMQ will never accept this message; it may accept others."""


class Sender:
    """Sends messages; safe to use concurrently. The caller retries failed messages."""

    def __init__(self, channel: AbstractRobustChannel, clock: Clock, upkeep: Upkeep) -> None:
        self._channel = channel
        self._clock = clock
        self._upkeep = upkeep
        self._refused_since: float | None = None

    @classmethod
    async def open(cls, connection: AbstractRobustConnection, *, clock: Clock, upkeep: Upkeep) -> "Sender":
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        try:
            await within(SEND_TIMEOUT, channel.initialize())
        except ERRORS as error:
            raise TransportError(f"RabbitMQ gave no channel to publish ({classify(error).reason}); try again") from None
        return cls(channel, clock, upkeep)

    async def send(self, queue: str, message: AmqpMessage) -> None:
        """Send `message` to `queue`.

        Raises Unroutable if there is no such queue, Unsendable if it will never take this message, TransportError if it
        was not confirmed.
        """
        if len(queue.encode()) > MAX_SHORT:
            raise Unroutable(f"RabbitMQ can't have a queue whose name has more than {MAX_SHORT} bytes")
        size = sum(len(name.encode()) + len(value.encode()) + PER_HEADER for name, value in message.headers.items())
        if size > MAX_HEADERS:
            raise Unsendable(
                f"RabbitMQ takes no message for {queue!r} with {size} bytes of headers; at most {MAX_HEADERS} fit",
                Fault.FINAL,
            )
        try:
            await within(SEND_TIMEOUT, self._publish(queue, message))
            self._refused_since = None
        except PublishError:
            raise Unroutable(f"RabbitMQ has no queue {queue!r}; start its consumer or `timokha bridge` first") from None
        except ERRORS as error:
            refusal = _refusal(queue, message, error)
            if refusal.fault is Fault.FATAL:
                self._count_refusal(refusal)
            raise refusal from None

    def _count_refusal(self, refusal: RequestRefused) -> None:
        """End the process after `REFUSED_FOR`: permissions are the same for all messages."""
        now = self._clock.monotonic()
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since >= REFUSED_FOR.total_seconds():
            self._upkeep.fail(refusal)

    async def _publish(self, queue: str, message: AmqpMessage) -> None:
        await self._channel.ready()
        await self._channel.default_exchange.publish(
            encode(message, self._clock.now()), routing_key=queue, mandatory=True
        )


def _refusal(queue: str, message: AmqpMessage, error: Exception) -> RequestRefused:
    diagnosis = classify(error)
    if diagnosis.fault is not Fault.FINAL:
        advice = diagnosis.advice if diagnosis.fault is Fault.FATAL else "send it again"
        return RequestRefused(
            f"RabbitMQ did not confirm a message for {queue!r} ({diagnosis.reason}); {advice}", diagnosis.fault
        )
    # One that is too large closes the channel, and others in flight fail with the same error.
    if f"size {len(message.body)} " in diagnosis.reason:
        return Unsendable(
            f"RabbitMQ takes no such message for {queue!r} ({diagnosis.reason}); {diagnosis.advice}", Fault.FINAL
        )
    return RequestRefused(
        f"RabbitMQ did not confirm a message for {queue!r} ({diagnosis.reason}); send it again", Fault.PASSING
    )


class RabbitMQPublisher:
    """Implements `events.transport.Publisher`. Queues do not deduplicate; the receiver must."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def publish(self, channel: Channel, event: Event) -> Published:
        reply_to = topology.REPLIES.name if channel is Channel.REQUESTS else ""
        await self._sender.send(subjects.destination(channel), AmqpMessage.of(event, reply_to=reply_to))
        return Published.STORED
