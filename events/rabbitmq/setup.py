"""What `timokha setup` makes on RabbitMQ."""

from collections.abc import Sequence
from dataclasses import replace

from aio_pika.abc import AbstractRobustConnection
from pydantic import SecretStr

from events.errors import TransportError
from events.rabbitmq.connection import connect
from events.rabbitmq.topology import OURS, Queue, declare, ensure, opened
from events.runtime.clock import Clock


async def set_up(url: SecretStr, *, clock: Clock) -> Sequence[str]:
    """Our queues and the dead-letter exchange exist; what had to be made, a line each.

    Raises TransportError, TransportUnreachable or SettingsError.
    """
    async with connect(url, name="setup", clock=clock) as broker:
        missing = [queue.name for queue in OURS if not await _is_there(broker.consuming, queue)]
        await ensure(broker.consuming)
    return [f"created queue {name}" for name in missing]


async def _is_there(connection: AbstractRobustConnection, queue: Queue) -> bool:
    try:
        async with opened(connection) as channel:
            await declare(channel, replace(queue, passive=True))
    except TransportError:
        # Whatever else it may be, making the queue will say.
        return False
    return True
