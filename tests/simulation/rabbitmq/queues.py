"""Queues: messages wait in them, go to consumers in turn, and come back if they are not settled.

Source: https://www.rabbitmq.com/docs/4.3/quorum-queues, and what RabbitMQ 4.3.6 did when it was asked.
"""

import asyncio
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from tests.simulation.rabbitmq.content import Content

DEFAULT_DELIVERY_LIMIT = 20
"""Of a quorum queue, from RabbitMQ 4.0 on."""


@dataclass(slots=True)
class Message:
    """A content in a queue. `expires_at` in the loop's time; `acquired`: how often it was returned, `failed`: of these,
    how often it counted as an attempt.
    """

    content: Content
    exchange: str
    routing_key: str
    number: int
    expires_at: float | None
    acquired: int = 0
    failed: int = 0
    acquired_before: int = 0
    """In the queue whose dead letter it is. RabbitMQ goes on counting `failed`, but not `acquired`."""
    redelivered: bool = False

    def counts(self) -> dict[str, int]:
        """Return the headers that tell of earlier deliveries; RabbitMQ leaves out zeros."""
        counts = {"x-acquired-count": self.acquired or self.acquired_before, "x-delivery-count": self.failed}
        return {name: value for name, value in counts.items() if value}


class Consumer(Protocol):
    """Where a queue delivers to."""

    no_ack: bool
    priority: int

    def has_room(self) -> bool: ...

    def deliver(self, delivery: "Delivery") -> None: ...

    def settled(self) -> None:
        """Note that one delivery is in flight no more."""

    def cancelled(self) -> None:
        """Tell the client that the queue is gone."""


@dataclass(eq=False, slots=True)
class Delivery:
    """A message at a consumer."""

    queue: "Queue"
    message: Message
    consumer: Consumer


DeadLetter = Callable[["Queue", Message, str], None]


@dataclass(eq=False)
class Queue:
    """`owner`: the connection of an exclusive queue. `dead_letter` takes what the queue gives up."""

    name: str
    dead_letter: DeadLetter
    durable: bool = True
    auto_delete: bool = False
    owner: object = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    consumers: list[Consumer] = field(default_factory=list)
    unsettled: dict[Delivery, None] = field(default_factory=dict)
    _waiting: deque[Message] = field(default_factory=deque)
    _returned: list[Message] = field(default_factory=list)
    """Delivered before, and next in turn."""
    _numbers: Any = field(default_factory=count)
    _expiry: asyncio.TimerHandle | None = None

    @property
    def quorum(self) -> bool:
        return self.arguments.get("x-queue-type") == "quorum"

    @property
    def ready(self) -> int:
        return len(self._waiting) + len(self._returned)

    def push(self, content: Content, exchange: str, routing_key: str, origin: Message | None = None) -> bool:
        """Take a message, and return whether there was room for it. `origin`: it is that one's dead letter."""
        if self._is_full() and self.arguments.get("x-overflow") == "reject-publish":
            return False
        message = Message(content, exchange, routing_key, next(self._numbers), self._expires_at(content))
        if origin is not None and self.quorum:
            message.failed, message.acquired_before = origin.failed, origin.acquired
            message.redelivered = bool(message.counts())
        self._waiting.append(message)
        self._drop_excess()
        self.serve()
        return True

    def serve(self) -> None:
        """Deliver what can be delivered."""
        self._expire()
        while self._returned or self._waiting:
            consumer = self._next_consumer()
            if consumer is None:
                break
            self._deliver(self._returned.pop(0) if self._returned else self._waiting.popleft(), consumer)
            self._expire()
        self._watch_expiry()

    def _next_consumer(self) -> Consumer | None:
        """Return whose turn it is: of those with room, one of the highest priority, in turn."""
        best: Consumer | None = None
        for consumer in self.consumers:
            if consumer.has_room() and (best is None or consumer.priority > best.priority):
                best = consumer
        if best is not None:
            self.consumers.remove(best)
            self.consumers.append(best)
        return best

    def _deliver(self, message: Message, consumer: Consumer) -> None:
        delivery = Delivery(self, message, consumer)
        if not consumer.no_ack:
            self.unsettled[delivery] = None
        consumer.deliver(delivery)

    # --- what a client says of a delivery

    def ack(self, delivery: Delivery) -> None:
        if self._settle(delivery):
            self.serve()

    def discard(self, delivery: Delivery, *, failed: bool) -> None:
        """Have it never delivered again."""
        if self._settle(delivery):
            message = delivery.message
            message.acquired += 1
            message.failed += failed
            self.dead_letter(self, message, "rejected")
            self.serve()

    def requeue(self, deliveries: Iterable[Delivery], *, failed: bool) -> None:
        """Have them delivered again; `failed`: each counts towards the delivery limit."""
        for delivery in deliveries:
            if self._settle(delivery):
                self._give_back(delivery.message, failed=failed)
        self.serve()

    def _settle(self, delivery: Delivery) -> bool:
        """Return whether it was still to be settled."""
        if delivery not in self.unsettled:
            return False
        del self.unsettled[delivery]
        consumer = delivery.consumer
        was_busy = not consumer.has_room()
        consumer.settled()
        if was_busy and consumer in self.consumers:
            # It waits behind those that are free already.
            self.consumers.remove(consumer)
            self.consumers.append(consumer)
        return True

    def _give_back(self, message: Message, *, failed: bool) -> None:
        message.redelivered = True
        if not self.quorum:
            insort(self._returned, message, key=lambda one: one.number)
            return
        message.acquired += 1
        message.failed += failed
        limit = int(self.arguments.get("x-delivery-limit", DEFAULT_DELIVERY_LIMIT))
        if 0 <= limit < message.failed:
            self.dead_letter(self, message, "delivery_limit")
        else:
            self._returned.append(message)

    # --- expiry and overflow

    def _expires_at(self, content: Content) -> float | None:
        limits = [limit for limit in (content.expiration, self.arguments.get("x-message-ttl")) if limit is not None]
        return asyncio.get_running_loop().time() + min(limits) / 1000 if limits else None

    def _head(self) -> Message | None:
        return self._returned[0] if self._returned else self._waiting[0] if self._waiting else None

    def _expire(self) -> None:
        """Give up what has expired at the head: what is behind it waits for its turn."""
        now = asyncio.get_running_loop().time()
        while (head := self._head()) and head.expires_at is not None and head.expires_at <= now:
            (self._returned.pop(0) if self._returned else self._waiting.popleft())
            self.dead_letter(self, head, "expired")

    def _watch_expiry(self) -> None:
        self.pause()
        head = self._head()
        if head and head.expires_at is not None:
            self._expiry = asyncio.get_running_loop().call_at(head.expires_at, self.serve)

    def pause(self) -> None:
        """Let nothing expire until `serve` is called."""
        if self._expiry:
            self._expiry.cancel()
            self._expiry = None

    def _is_full(self) -> bool:
        """A quorum queue notices one message late."""
        limit = self.arguments.get("x-max-length")
        return limit is not None and self.ready >= limit + self.quorum

    def _drop_excess(self) -> None:
        limit = self.arguments.get("x-max-length")
        if limit is not None and self.arguments.get("x-overflow", "drop-head") == "drop-head":
            while self.ready > limit:
                self.dead_letter(self, self._returned.pop(0) if self._returned else self._waiting.popleft(), "maxlen")

    # --- the end

    def cancel_consumers(self) -> None:
        """Leave the consumers without a queue, as a deletion does."""
        self.pause()
        consumers, self.consumers = self.consumers, []
        for delivery in self.unsettled:
            delivery.consumer.settled()
        self.unsettled.clear()
        for consumer in consumers:
            consumer.cancelled()

    def recover(self) -> None:
        """Come back after the broker's end: without consumers, and with what was at them.

        A classic queue has only what was persistent, and does not know what of it was delivered.
        """
        held = [delivery.message for delivery in self.unsettled]
        self.consumers, self.unsettled = [], {}
        if self.quorum:
            for message in held:
                self._give_back(message, failed=True)
            # They are given back when the queue notices the end of its consumers, after what was ready is served.
            self._waiting.extend(self._returned)
            self._returned = []
        else:
            messages = sorted([*held, *self._returned, *self._waiting], key=lambda one: one.number)
            self._returned, self._waiting = [], deque(one for one in messages if one.content.persistent)
            for message in self._waiting:
                message.redelivered = True
        self.serve()
