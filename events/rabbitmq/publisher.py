"""Events to our queues, named after their channels."""

from events import subjects
from events.event import Event
from events.rabbitmq import topology
from events.rabbitmq.message import Message
from events.rabbitmq.sender import Sender
from events.transport import Channel, Published


class RabbitMQPublisher:
    """Implements `events.transport.Publisher`. A queue does not recognise what it has had before: the receiver must."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def publish(self, channel: Channel, event: Event) -> Published:
        reply_to = topology.REPLIES.name if channel is Channel.REQUESTS else ""
        await self._sender.send(subjects.destination(channel), Message.of(event, reply_to=reply_to))
        return Published.STORED
