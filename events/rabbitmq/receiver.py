"""Receive messages in advance, up to a prefetch count, and settle each explicitly."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import cast

from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel
from aio_pika.exceptions import ChannelInvalidStateError
from aiormq import Channel

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.faults import ERRORS, classify, translate_errors
from events.rabbitmq.message import AmqpMessage, decode
from events.rabbitmq.topology import Queue
from events.runtime.tasks import within

STOP_TIMEOUT = timedelta(seconds=2)
"""A robust channel waits for its connection for ever, though without one there are no consumers to cancel."""

ANSWER_TIMEOUT = timedelta(seconds=5)
"""For the broker to answer other requests."""


class ReceivedMessage:
    """One message to be settled once; otherwise it is delivered again when the connection ends."""

    def __init__(self, incoming: AbstractIncomingMessage, now: datetime) -> None:
        self._incoming = incoming
        self.message: AmqpMessage = decode(incoming, now)

    @property
    def stale(self) -> bool:
        """Whether its channel is closed, so that the broker delivers it again."""
        try:
            return bool(self._incoming.channel.is_closed)
        except ChannelInvalidStateError:
            return True

    async def ack(self) -> None:
        """Acknowledge the message. AMQP does not confirm that; after a lost one it is delivered again."""
        await self._settle(self._incoming.ack())

    async def requeue(self) -> None:
        """Have it delivered again at once. Not with `nack`, which RabbitMQ 4.3 does not count as an attempt."""
        await self._settle(self._incoming.reject(requeue=True))

    async def reject(self) -> None:
        """Have it never delivered again; RabbitMQ dead-letters it if its queue is set up so."""
        await self._settle(self._incoming.reject(requeue=False))

    async def _settle(self, settling: object) -> None:
        try:
            await settling  # type: ignore[misc]
        except ERRORS as error:
            raise TransportError(
                f"a message of RabbitMQ could not be settled ({classify(error).reason}); it will be delivered again"
            ) from None


class Receiver:
    """The consumers of one queue, restored after a lost connection and after the queue was deleted."""

    def __init__(self, broker: Broker, channel: AbstractRobustChannel, queue: Queue) -> None:
        self._broker = broker
        self._channel = channel
        self._queue = queue
        self._consumers: dict[str, int] = {}
        """Priorities by tag, oldest consumer first."""
        self._numbers = count(1)
        self._ready: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._changing = asyncio.Lock()
        self._forget: Callable[[], None] = lambda: None

    @classmethod
    async def open(cls, broker: Broker, queue: Queue, *, consumers: int = 1, prefetch: int = 1) -> "Receiver":
        """Start `consumers` consumers with at most `prefetch` unsettled messages each. Raises TransportError."""
        queue = await topology.adopt(broker.consuming, queue)
        with translate_errors(queue.name):
            channel = broker.consuming.channel(publisher_confirms=False)
            await within(ANSWER_TIMEOUT, channel.initialize())
            await within(ANSWER_TIMEOUT, channel.set_qos(prefetch_count=prefetch))
        channel.reopen_callbacks.add(broker.upkeep.wake)
        receiver = cls(broker, channel, queue)
        await receiver.resize(consumers)
        receiver._forget = broker.upkeep.keep(queue.name, receiver.restore)
        return receiver

    @property
    def consumers(self) -> int:
        return len(self._consumers)

    async def resize(self, consumers: int, *, priority: int = 0) -> None:
        """Set the number of consumers. New ones get only messages that none of a higher priority can take.

        The newest are cancelled first, and their messages stay. Raises TransportError.
        """
        async with self._changing:
            with translate_errors(self._queue.name):
                while len(self._consumers) < consumers:
                    tag = f"timokha.{next(self._numbers)}"
                    await self._consume(tag, priority)
                    self._consumers[tag] = priority
                while len(self._consumers) > consumers:
                    tag, _ = self._consumers.popitem()
                    await (await self._amqp_channel()).basic_cancel(tag)

    async def restore(self) -> bool:
        """Declare the queue and restart consumers that the broker has cancelled; return whether there were any."""
        async with self._changing:
            with translate_errors(self._queue.name):
                channel = await within(ANSWER_TIMEOUT, self._amqp_channel())
                lost = {tag: priority for tag, priority in self._consumers.items() if tag not in channel.consumers}
                if not lost:
                    return False
                self._queue = await topology.adopt(self._broker.consuming, self._queue)
                for tag, priority in lost.items():
                    await within(ANSWER_TIMEOUT, self._consume(tag, priority))
                return True

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[ReceivedMessage]:
        """Return at most `limit` messages; none if none came within `timeout`.

        Raises TransportError if the process can't go on.
        """
        self._broker.upkeep.check()
        fetched: list[ReceivedMessage] = []
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                while not fetched:
                    fetched += self._unless_stale(await self._ready.get())
        except TimeoutError:
            return fetched
        while len(fetched) < limit and not self._ready.empty():
            fetched += self._unless_stale(self._ready.get_nowait())
        return fetched

    async def stop(self, last_attempt: int) -> Sequence[ReceivedMessage]:
        """Stop receiving and return unfetched messages to the queue; fetched ones can still be settled.

        Return those for which this is attempt `last_attempt` or a later one instead of requeuing them.
        Raises TransportError soon if the broker is away, which then redelivers everything by itself.
        """
        self._forget()
        try:
            return await within(STOP_TIMEOUT, self._hand_back(last_attempt))
        except OSError:  # a time-out, or the client closes the connection
            raise TransportError(
                f"RabbitMQ does not answer; what it had sent of {self._queue.name!r} will be delivered again"
            ) from None

    async def _hand_back(self, last_attempt: int) -> Sequence[ReceivedMessage]:
        await self.resize(0)
        kept: list[ReceivedMessage] = []
        while not self._ready.empty():
            for received in self._unless_stale(self._ready.get_nowait()):
                if received.message.attempts + 1 >= last_attempt:
                    kept.append(received)
                else:
                    await received.requeue()
        return kept

    async def _amqp_channel(self) -> Channel:
        """Return aiormq's channel: a channel with aio-pika's robust queues fails to reopen when one is missing."""
        await self._channel.ready()
        channel = cast(Channel, await self._channel.get_underlay_channel())
        channel.on_consumer_cancel_callbacks.add(self._broker.upkeep.wake)
        return channel

    async def _consume(self, tag: str, priority: int) -> None:
        await self._amqp_channel()
        queue = await self._channel.get_queue(self._queue.name, ensure=False)
        await queue.consume(self._ready.put, arguments={"x-priority": priority}, consumer_tag=tag)

    def _unless_stale(self, incoming: AbstractIncomingMessage) -> list[ReceivedMessage]:
        received = ReceivedMessage(incoming, self._broker.clock.now())
        return [] if received.stale else [received]
