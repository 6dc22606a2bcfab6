"""Channels: what a client asks of one, and what it gets."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pamqp import commands
from pamqp.base import Frame
from pamqp.constants import FRAME_BODY, FRAME_HEADER

from tests.simulation.rabbitmq.consumer import ChannelConsumer
from tests.simulation.rabbitmq.content import Content
from tests.simulation.rabbitmq.declarations import declare_exchange, declare_queue, find_exchange, find_queue
from tests.simulation.rabbitmq.errors import ChannelFault, ConnectionFault, Fault
from tests.simulation.rabbitmq.frames import Received, content_frames, method_frame
from tests.simulation.rabbitmq.publishing import Publishing
from tests.simulation.rabbitmq.queues import Delivery, Queue

if TYPE_CHECKING:
    from tests.simulation.rabbitmq.connection import Connection

Basic, Exchange, Queues = commands.Basic, commands.Exchange, commands.Queue


class Channel:
    """One channel of a connection."""

    def __init__(self, connection: "Connection", number: int) -> None:
        self.connection = connection
        self.number = number
        self.closing = False
        """It waits for the client's agreement, and hears nothing else."""
        self.unsettled: dict[int, Delivery] = {}
        """By delivery tag, oldest first."""
        self.consumers: dict[str, ChannelConsumer] = {}
        self.publishing = Publishing(self)
        self._prefetch = 0
        self._last_tag = 0

    def send(self, method: Frame) -> None:
        self.connection.write(method_frame(self.number, method))

    def send_content(self, method: Frame, content: Content) -> None:
        self.connection.write(content_frames(self.number, method, content.header, content.body))

    # --- frames

    def receive(self, received: Received) -> None:
        """Raises Fault."""
        if received.kind in (FRAME_HEADER, FRAME_BODY):
            if not self.closing:
                self.publishing.receive(received)
            return
        method = received.method()
        if isinstance(method, commands.Channel.CloseOk):
            self.connection.forget(self)
        elif isinstance(method, commands.Channel.Close):
            self.publishing.tell()
            self.end()
            self.send(commands.Channel.CloseOk())
            self.connection.forget(self)
        elif not self.closing:
            self._handle(method)

    def _handle(self, method: Frame) -> None:
        handle = self.HANDLERS.get(type(method))
        if handle is None:
            raise ConnectionFault(540, f"{method.name} is not simulated")
        if self.publishing.incomplete:
            raise ConnectionFault(505, f"{method.name} instead of a content")
        handle(self, method)

    def close(self, fault: Fault, method: Frame | None = None) -> None:
        """Close it with an error."""
        self.closing = True
        index = method.index if method is not None else 0
        self.send(
            commands.Channel.Close(
                reply_code=fault.code, reply_text=fault.text, class_id=index >> 16, method_id=index & 0xFFFF
            )
        )
        self.end()

    def end(self) -> None:
        """Give back what the client has not settled."""
        for consumer in list(self.consumers.values()):
            self._remove(consumer)
        unsettled, self.unsettled = self.unsettled, {}
        self._requeue(list(unsettled.values()), failed=True)

    # --- methods

    def _answer(self, method: Any, answer: Frame) -> None:
        if not method.nowait:
            self.send(answer)

    def _declare_exchange(self, method: Exchange.Declare) -> None:
        declare_exchange(self.connection.store, method)
        self._answer(method, Exchange.DeclareOk())

    def _declare_queue(self, method: Queues.Declare) -> None:
        queue = declare_queue(self.connection.store, method, self.connection)
        answer = Queues.DeclareOk(queue.name, message_count=queue.ready, consumer_count=len(queue.consumers))
        self._answer(method, answer)

    def _bind_queue(self, method: Queues.Bind) -> None:
        store = self.connection.store
        queue = find_queue(store, method.queue, self.connection)
        find_exchange(store, method.exchange).bindings[queue.name, method.routing_key] = None
        self._answer(method, Queues.BindOk())

    def _delete_queue(self, method: Queues.Delete) -> None:
        store = self.connection.store
        if method.queue in store.queues:
            find_queue(store, method.queue, self.connection)
        self._answer(method, Queues.DeleteOk(message_count=store.delete_queue(method.queue)))

    def _qos(self, method: Basic.Qos) -> None:
        if method.global_ or method.prefetch_size:
            raise ConnectionFault(540, "a prefetch of the whole channel, or in bytes, is not simulated")
        self._prefetch = method.prefetch_count
        self.send(Basic.QosOk())

    def _consume(self, method: Basic.Consume) -> None:
        queue = find_queue(self.connection.store, method.queue, self.connection)
        if method.exclusive:
            raise ConnectionFault(540, "an exclusive consumer is not simulated")
        tag = method.consumer_tag or f"amq.ctag-{self.connection.number}-{self.number}-{self._last_tag}"
        if tag in self.consumers:
            raise ConnectionFault(530, f"attempt to reuse consumer tag '{tag}'")
        priority = int((method.arguments or {}).get("x-priority", 0))
        consumer = ChannelConsumer(self, queue, tag, no_ack=method.no_ack, prefetch=self._prefetch, priority=priority)
        self.consumers[tag] = consumer
        queue.consumers.append(consumer)
        self._answer(method, Basic.ConsumeOk(consumer_tag=tag))
        queue.serve()

    def _cancel(self, method: Basic.Cancel) -> None:
        consumer = self.consumers.get(method.consumer_tag)
        if consumer:
            self._remove(consumer)
        self._answer(method, Basic.CancelOk(consumer_tag=method.consumer_tag))

    def _remove(self, consumer: ChannelConsumer) -> None:
        del self.consumers[consumer.tag]
        queue = consumer.queue
        if consumer in queue.consumers:
            queue.consumers.remove(consumer)
            if queue.auto_delete and not queue.consumers:
                self.connection.store.delete_queue(queue.name)

    def _publish(self, method: Basic.Publish) -> None:
        self.publishing.begin(method)

    def _select_confirms(self, method: commands.Confirm.Select) -> None:
        self.publishing.confirms = True
        self._answer(method, commands.Confirm.SelectOk())

    # --- settling

    def deliver(self, consumer: ChannelConsumer, delivery: Delivery) -> None:
        """Send a message to the client."""
        self._last_tag += 1
        if not consumer.no_ack:
            self.unsettled[self._last_tag] = delivery
        message, content = delivery.message, delivery.message.content
        counts = message.counts()
        deliver = Basic.Deliver(
            consumer_tag=consumer.tag,
            delivery_tag=self._last_tag,
            redelivered=message.redelivered,
            exchange=message.exchange,
            routing_key=message.routing_key,
        )
        self.send_content(deliver, content.with_headers(counts) if counts else content)

    def _ack(self, method: Basic.Ack) -> None:
        for delivery in self._taken(method.delivery_tag, multiple=method.multiple):
            delivery.queue.ack(delivery)

    def _nack(self, method: Basic.Nack) -> None:
        deliveries = self._taken(method.delivery_tag, multiple=method.multiple)
        self._return(deliveries, requeue=method.requeue, failed=False)

    def _reject(self, method: Basic.Reject) -> None:
        self._return(self._taken(method.delivery_tag, multiple=False), requeue=method.requeue, failed=True)

    def _return(self, deliveries: list[Delivery], *, requeue: bool, failed: bool) -> None:
        if requeue:
            self._requeue(deliveries, failed=failed)
            return
        for delivery in deliveries:
            delivery.queue.discard(delivery, failed=failed)

    def _requeue(self, deliveries: list[Delivery], *, failed: bool) -> None:
        by_queue: dict[Queue, list[Delivery]] = {}
        for delivery in deliveries:
            by_queue.setdefault(delivery.queue, []).append(delivery)
        for queue, of_queue in by_queue.items():
            queue.requeue(of_queue, failed=failed)

    def _taken(self, tag: int, *, multiple: bool) -> list[Delivery]:
        """Return the deliveries that the client settles. Raises ChannelFault."""
        if multiple:
            tags = [each for each in self.unsettled if each <= tag or not tag]
        else:
            tags = [tag] if tag in self.unsettled else []
        if not tags and not (multiple and not tag):
            raise ChannelFault(406, f"unknown delivery tag {tag}")
        return [self.unsettled.pop(each) for each in tags]

    HANDLERS: ClassVar[dict[type[Frame], Callable[["Channel", Any], None]]] = {
        Exchange.Declare: _declare_exchange,
        Queues.Declare: _declare_queue,
        Queues.Bind: _bind_queue,
        Queues.Delete: _delete_queue,
        Basic.Qos: _qos,
        Basic.Consume: _consume,
        Basic.Cancel: _cancel,
        Basic.Publish: _publish,
        Basic.Ack: _ack,
        Basic.Nack: _nack,
        Basic.Reject: _reject,
        commands.Confirm.Select: _select_confirms,
    }
