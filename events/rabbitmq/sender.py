"""Sending: persistent, refused where no queue takes it, and done only when the broker has confirmed."""

from datetime import timedelta

from aio_pika.abc import AbstractRobustChannel, AbstractRobustConnection
from aio_pika.exceptions import PublishError

from events.errors import TransportError
from events.faults import Fault
from events.rabbitmq.faults import ERRORS, Refused, judge
from events.rabbitmq.message import MAX_SHORT, Message, encode
from events.runtime.clock import Clock
from events.runtime.tasks import within

SEND_TIMEOUT = timedelta(seconds=5)
"""To wait for a connection and the confirmation before the caller sends the same message again."""


class Unroutable(TransportError):
    """No queue of this name; sending again helps only after somebody has made one."""


class Unsendable(Refused):
    """RabbitMQ will never take this message; others it may."""


class Sender:
    """Safe to use concurrently. A failed message is not sent again by itself."""

    def __init__(self, channel: AbstractRobustChannel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock

    @classmethod
    async def open(cls, connection: AbstractRobustConnection, *, clock: Clock) -> "Sender":
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        try:
            await within(SEND_TIMEOUT, channel.initialize())
        except ERRORS as error:
            raise TransportError(f"RabbitMQ gave no channel to publish ({judge(error).reason}); try again") from None
        return cls(channel, clock)

    async def send(self, queue: str, message: Message) -> None:
        """Raises Unroutable if there is no such queue, Unsendable if it will never take this message, TransportError
        if nothing was confirmed.
        """
        if len(queue.encode()) > MAX_SHORT:
            raise Unroutable(f"RabbitMQ can't have a queue whose name has more than {MAX_SHORT} bytes")
        try:
            await within(SEND_TIMEOUT, self._publish(queue, message))
        except PublishError:
            raise Unroutable(f"RabbitMQ has no queue {queue!r}; start its consumer or `timokha bridge` first") from None
        except ERRORS as error:
            raise _refusal(queue, message, error) from None

    async def _publish(self, queue: str, message: Message) -> None:
        await self._channel.ready()
        await self._channel.default_exchange.publish(
            encode(message, self._clock.now()), routing_key=queue, mandatory=True
        )


def _refusal(queue: str, message: Message, error: Exception) -> TransportError:
    verdict = judge(error)
    # The channel is closed for one that is too large, and others that were on their way fail with the same error.
    if verdict.fault is Fault.FINAL and f"size {len(message.body)} " in verdict.reason:
        return Unsendable(
            f"RabbitMQ takes no such message for {queue!r} ({verdict.reason}); {verdict.advice}", Fault.FINAL
        )
    return Refused(f"RabbitMQ did not confirm a message for {queue!r} ({verdict.reason}); send it again", Fault.PASSING)
