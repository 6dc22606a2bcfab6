"""What a broker keeps while it is down: exchanges, queues and their messages."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from tests.simulation.rabbitmq.content import Content
from tests.simulation.rabbitmq.exchanges import Exchange
from tests.simulation.rabbitmq.queues import Message, Queue

DEAD_LETTER_AGAIN = 180
"""Seconds after which a quorum queue sends a dead letter again that no queue took."""


class Store:
    """One virtual host. The default exchange, "", has every queue bound by its name."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self._undelivered: list[tuple[Queue, Message, str]] = []
        """Dead letters of `at-least-once` that no queue took."""
        self._again: asyncio.TimerHandle | None = None
        self._names = count(1)

    def new_name(self) -> str:
        return f"amq.gen-{next(self._names)}"

    def add_queue(
        self, name: str, *, durable: bool, auto_delete: bool, owner: object, arguments: Mapping[str, Any]
    ) -> Queue:
        queue = Queue(name, self._dead_letter, durable, auto_delete, owner, arguments)
        self.queues[name] = queue
        return queue

    def delete_queue(self, name: str) -> int:
        """Return how many messages were ready; deleting a queue that does not exist is no fault."""
        queue = self.queues.pop(name, None)
        if queue is None:
            return 0
        for exchange in self.exchanges.values():
            exchange.unbind(name)
        self._undelivered = [one for one in self._undelivered if one[0] is not queue]
        ready = queue.ready
        queue.cancel_consumers()
        return ready

    def route(self, exchange: str, routing_key: str) -> Sequence[Queue]:
        """Return the queues that get a message: none if the exchange does not exist."""
        if exchange == "":
            names: Sequence[str] = (routing_key,)
        else:
            names = self.exchanges[exchange].route(routing_key) if exchange in self.exchanges else ()
        return [self.queues[name] for name in names if name in self.queues]

    def publish(
        self, content: Content, exchange: str, routing_key: str, queues: Sequence[Queue], origin: Message | None = None
    ) -> bool:
        """Store a message in `queues`, and return whether each took it."""
        taken = [queue.push(content, exchange, routing_key, origin) for queue in queues]
        return all(taken)

    def _dead_letter(self, queue: Queue, message: Message, reason: str) -> None:
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return
        routing_key = queue.arguments.get("x-dead-letter-routing-key", message.routing_key)
        targets = self.route(exchange, routing_key)
        content = message.content.dead(queue.name, reason, message.exchange, message.routing_key)
        taken = bool(targets) and self.publish(content, exchange, routing_key, targets, message)
        if not taken and queue.arguments.get("x-dead-letter-strategy") == "at-least-once":
            self._undelivered.append((queue, message, reason))
            if self._again is None:
                self._again = asyncio.get_running_loop().call_later(DEAD_LETTER_AGAIN, self._dead_letter_again)

    def _dead_letter_again(self) -> None:
        self._again = None
        undelivered, self._undelivered = self._undelivered, []
        for letter in undelivered:
            self._dead_letter(*letter)

    # --- the broker's life

    def pause(self) -> None:
        """Let nothing happen by itself: the broker is down, or frozen."""
        if self._again:
            self._again.cancel()
            self._again = None
        for queue in self.queues.values():
            queue.pause()

    def resume(self) -> None:
        self._dead_letter_again()
        for queue in list(self.queues.values()):
            queue.serve()

    def recover(self) -> None:
        """Come back after the broker's end, with what is durable."""
        for name in [queue.name for queue in self.queues.values() if not queue.durable or queue.owner is not None]:
            self.queues.pop(name).pause()
        self.exchanges = {name: exchange for name, exchange in self.exchanges.items() if exchange.durable}
        for exchange in self.exchanges.values():
            for queue, _ in list(exchange.bindings):
                if queue not in self.queues:
                    exchange.unbind(queue)
        for each in list(self.queues.values()):
            each.recover()
        self._dead_letter_again()

    def clear(self) -> None:
        """Lose everything, as a node does whose data was deleted. Only while the broker is down."""
        self.pause()
        self.exchanges, self.queues, self._undelivered = {}, {}, []
