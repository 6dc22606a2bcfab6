"""What only tests do with queues of RabbitMQ: delete them, and give a receiver up."""

from aio_pika.abc import AbstractRobustConnection

from events.rabbitmq import topology
from events.rabbitmq.faults import translate_errors
from events.rabbitmq.receiver import Receiver


async def delete_queues(connection: AbstractRobustConnection, *names: str) -> None:
    """Delete queues with their messages, if they exist. Raises TransportError."""
    async with topology.open_channel(connection) as channel:
        for name in names:
            with translate_errors(name):
                await channel.queue_delete(name)


async def close(receiver: Receiver) -> None:
    """Close its channel; unsettled messages are delivered again."""
    receiver._forget()
    await topology.close_channel(receiver._channel)
