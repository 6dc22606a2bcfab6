"""Receiving: as many messages as were asked for in advance, each acknowledged by hand."""

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
from events.runtime.tasks import finish, within

STOP_TIMEOUT = timedelta(seconds=2)
"""A robust channel would wait for its connection for ever, which without one has no consumers to cancel."""

ANSWER_TIMEOUT = timedelta(seconds=5)
"""For the broker to answer anything else."""


class ReceivedMessage:
    """One message in hand. Settle it once; unsettled it comes again when the connection ends."""

    def __init__(self, incoming: AbstractIncomingMessage, now: datetime) -> None:
        self._incoming = incoming
        self.message: AmqpMessage = decode(incoming, now)

    @property
    def stale(self) -> bool:
        """Its channel is gone: the broker has handed it to somebody else, or will."""
        try:
            return bool(self._incoming.channel.is_closed)
        except ChannelInvalidStateError:
            return True

    async def ack(self) -> None:
        """AMQP confirms no acknowledgement: one that is lost brings the message again."""
        await self._settle(self._incoming.ack())

    async def requeue(self) -> None:
        """Deliver it again, at once. `reject` and not `nack`: RabbitMQ 4.3 counts only the first as an attempt."""
        await self._settle(self._incoming.reject(requeue=True))

    async def reject(self) -> None:
        """Never deliver it again; RabbitMQ keeps it as a dead letter if its queue has them."""
        await self._settle(self._incoming.reject(requeue=False))

    async def _settle(self, settling: object) -> None:
        try:
            await settling  # type: ignore[misc]
        except ERRORS as error:
            raise TransportError(
                f"a message of RabbitMQ could not be settled ({classify(error).reason}); it will be delivered again"
            ) from None


class Receiver:
    """Consumers of one queue; they are there again after a lost connection, and after the queue was deleted."""

    def __init__(self, broker: Broker, channel: AbstractRobustChannel, queue: Queue) -> None:
        self._broker = broker
        self._channel = channel
        self._queue = queue
        self._consumers: dict[str, int] = {}
        """Their priorities by tag, the oldest first."""
        self._numbers = count(1)
        self._ready: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._changing = asyncio.Lock()
        self._forget: Callable[[], None] = lambda: None

    @classmethod
    async def open(cls, broker: Broker, queue: Queue, *, consumers: int = 1, prefetch: int = 1) -> "Receiver":
        """Each of `consumers` has at most `prefetch` unsettled messages. Raises TransportError."""
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
        """So many from now on; those that are new get only what none of a higher priority can take.

        The newest go first, and what they have brought stays. Raises TransportError.
        """
        async with self._changing:
            with translate_errors(self._queue.name):
                while len(self._consumers) < consumers:
                    tag = f"timokha.{next(self._numbers)}"
                    await self._consume(tag, priority)
                    self._consumers[tag] = priority
                while len(self._consumers) > consumers:
                    tag, _ = self._consumers.popitem()
                    await (await self._underlay()).basic_cancel(tag)

    async def restore(self) -> bool:
        """Declare the queue and consume again if the broker has ended that. Returns whether it had."""
        async with self._changing:
            with translate_errors(self._queue.name):
                underlay = await within(ANSWER_TIMEOUT, self._underlay())
                lost = {tag: priority for tag, priority in self._consumers.items() if tag not in underlay.consumers}
                if not lost:
                    return False
                self._queue = await topology.adopt(self._broker.consuming, self._queue)
                for tag, priority in lost.items():
                    await within(ANSWER_TIMEOUT, self._consume(tag, priority))
                return True

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[ReceivedMessage]:
        """At most `limit` messages; none if nothing came within `timeout`.

        Raises TransportError if the process can't go on.
        """
        self._broker.upkeep.check()
        fetched: list[ReceivedMessage] = []
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
        self._forget()
        try:
            await within(STOP_TIMEOUT, self._hand_back())
        except OSError:  # a time-out, or the client gives the connection up
            raise TransportError(
                f"RabbitMQ does not answer; what it had sent of {self._queue.name!r} will be delivered again"
            ) from None

    async def _hand_back(self) -> None:
        await self.resize(0)
        while not self._ready.empty():
            for received in self._fresh(self._ready.get_nowait()):
                await received.requeue()

    async def close(self) -> None:
        """What is unsettled comes again."""
        self._forget()
        await finish(STOP_TIMEOUT, topology.close_channel(self._channel))

    async def _underlay(self) -> Channel:
        """The channel itself: aio-pika's own robust queues would not let it come back without them."""
        await self._channel.ready()
        underlay = cast(Channel, await self._channel.get_underlay_channel())
        underlay.on_consumer_cancel_callbacks.add(self._broker.upkeep.wake)
        return underlay

    async def _consume(self, tag: str, priority: int) -> None:
        await self._underlay()
        queue = await self._channel.get_queue(self._queue.name, ensure=False)
        await queue.consume(self._ready.put, arguments={"x-priority": priority}, consumer_tag=tag)

    def _fresh(self, incoming: AbstractIncomingMessage) -> list[ReceivedMessage]:
        received = ReceivedMessage(incoming, self._broker.clock.now())
        return [] if received.stale else [received]
