"""Receiving: as many messages as were asked for in advance, each acknowledged by hand."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel, AbstractRobustQueue
from aio_pika.exceptions import AMQPError

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.message import Message, decode
from events.rabbitmq.topology import Queue
from events.runtime.tasks import within

STOP_TIMEOUT = timedelta(seconds=2)
"""A robust channel would wait for its connection for ever, which without one has no consumers to cancel."""


class Received:
    """One message in hand. Settle it once; unsettled it comes again when the connection ends."""

    def __init__(self, incoming: AbstractIncomingMessage) -> None:
        self._incoming = incoming
        self.message: Message = decode(incoming)

    @property
    def stale(self) -> bool:
        """Its channel is gone: the broker has handed it to somebody else, or will."""
        return bool(self._incoming.channel.is_closed)

    async def ack(self) -> None:
        """AMQP confirms no acknowledgement: one that is lost brings the message again."""
        await self._settle(self._incoming.ack())

    async def requeue(self) -> None:
        """Deliver it again, at once. `reject` and not `nack`: RabbitMQ 4.3 counts only the first as an attempt."""
        await self._settle(self._incoming.reject(requeue=True))

    async def _settle(self, settling: object) -> None:
        try:
            await settling  # type: ignore[misc]
        except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise TransportError(
                f"a message of RabbitMQ could not be settled ({type(error).__name__}); it will be delivered again"
            ) from None


class Receiver:
    """Consumers of one queue; they are there again after a lost connection."""

    def __init__(self, channel: AbstractRobustChannel, queue: AbstractRobustQueue) -> None:
        self._channel = channel
        self._queue = queue
        self._tags: list[str] = []
        self._ready: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    @classmethod
    async def open(cls, broker: Broker, queue: Queue, *, consumers: int = 1, prefetch: int = 1) -> "Receiver":
        """Each of `consumers` has at most `prefetch` unsettled messages. Raises TransportError."""
        with topology.explained(queue.name):
            channel = broker.consuming.channel(publisher_confirms=False)
            await channel.initialize()
            await channel.set_qos(prefetch_count=prefetch)
            receiver = cls(channel, await topology.declare(channel, queue, robust=True))
        await receiver.resize(consumers)
        return receiver

    @property
    def consumers(self) -> int:
        return len(self._tags)

    async def resize(self, consumers: int, *, priority: int = 0) -> None:
        """So many from now on; those that are new get only what none of a higher priority can take.

        The newest go first, and what they have brought stays. Raises TransportError.
        """
        with topology.explained(self._queue.name):
            while len(self._tags) < consumers:
                tag = await self._queue.consume(self._ready.put, arguments={"x-priority": priority})
                self._tags.append(tag)
            while len(self._tags) > consumers:
                await self._queue.cancel(self._tags[-1])
                self._tags.pop()

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[Received]:
        """At most `limit` messages; none if nothing came within `timeout`."""
        fetched: list[Received] = []
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                while not fetched:
                    fetched += self._fresh(await self._ready.get())
        except TimeoutError:
            return fetched
        while len(fetched) < limit and not self._ready.empty():
            fetched += self._fresh(self._ready.get_nowait())
        return fetched

    async def stop(self) -> None:
        """Take nothing more, and hand back what nobody has fetched; what is in hand can still be settled.

        Raises TransportError, soon, if the broker is away: it hands everything back by itself.
        """
        try:
            await within(STOP_TIMEOUT, self.resize(0))
        except TimeoutError:
            raise TransportError(
                f"RabbitMQ does not answer; what it had sent of {self._queue.name!r} will be delivered again"
            ) from None
        while not self._ready.empty():
            for received in self._fresh(self._ready.get_nowait()):
                await received.requeue()

    async def close(self) -> None:
        """What is unsettled comes again."""
        with topology.explained(self._queue.name):
            await self._channel.close()

    @staticmethod
    def _fresh(incoming: AbstractIncomingMessage) -> list[Received]:
        received = Received(incoming)
        return [] if received.stale else [received]
