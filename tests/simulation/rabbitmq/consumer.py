"""Consumers: where a queue's messages leave through a channel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pamqp.commands import Basic

from tests.simulation.rabbitmq.queues import Delivery, Queue

if TYPE_CHECKING:
    from tests.simulation.rabbitmq.channel import Channel


@dataclass(eq=False)
class ChannelConsumer:
    """`prefetch`: how many messages it may have in flight, 0 for any number."""

    channel: "Channel"
    queue: Queue
    tag: str
    no_ack: bool
    prefetch: int
    priority: int
    in_flight: int = 0

    def has_room(self) -> bool:
        return self.no_ack or not self.prefetch or self.in_flight < self.prefetch

    def deliver(self, delivery: Delivery) -> None:
        self.in_flight += not self.no_ack
        self.channel.deliver(self, delivery)

    def settled(self) -> None:
        self.in_flight -= 1

    def cancelled(self) -> None:
        self.channel.consumers.pop(self.tag, None)
        self.channel.send(Basic.Cancel(consumer_tag=self.tag, nowait=True))
