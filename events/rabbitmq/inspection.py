"""Inspect RabbitMQ without changing it: which queues are missing, and which have wrong settings."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aio_pika import ExchangeType
from aio_pika.abc import AbstractRobustConnection

from events.errors import TransportError
from events.rabbitmq.connection import Broker
from events.rabbitmq.faults import DeclaredDifferently, Missing, translate_errors
from events.rabbitmq.topology import ANSWER_TIMEOUT, DEADLETTERS, OURS, Queue, declare, open_channel
from events.runtime.tasks import within

STREAM = "its x-queue-type is 'stream'"
"""A stream keeps acknowledged messages and starts over for each consumer, so a bridge can't use one."""


@dataclass(frozen=True, slots=True)
class RabbitMQInspection:
    """`missing` and `adopted` (with settings of others, but usable) are names; `faults` has a line for each problem."""

    missing: tuple[str, ...]
    faults: tuple[str, ...]
    adopted: tuple[str, ...]


async def inspect(broker: Broker, others: Iterable[Queue] = ()) -> RabbitMQInspection:
    """Inspect our queues, and `others` that a bridge uses."""
    missing, faults, adopted = [], [], []
    theirs = [queue for queue in others if queue not in OURS]
    for queue in (*OURS, *theirs):
        try:
            await _look(broker.consuming, queue)
        except Missing:
            missing.append(queue.name)
        except DeclaredDifferently as error:
            if queue in theirs and STREAM not in str(error):
                adopted.append(queue.name)
            else:
                faults.append(str(error))
        except TransportError as error:
            faults.append(str(error))
    if DEADLETTERS.name not in missing:
        faults += await _exchange(broker.consuming)
    return RabbitMQInspection(tuple(missing), tuple(dict.fromkeys(faults)), tuple(adopted))


async def _look(connection: AbstractRobustConnection, queue: Queue) -> None:
    """Raises TransportError."""
    async with open_channel(connection) as channel:
        await declare(channel, replace(queue, passive=True))  # does not create a missing queue
    async with open_channel(connection) as channel:
        await declare(channel, queue)


async def _exchange(connection: AbstractRobustConnection) -> list[str]:
    """Return the problem of the dead-letter exchange, if any."""
    try:
        for passive in (True, False):
            async with open_channel(connection) as channel:
                with translate_errors(f"exchange {DEADLETTERS.name}"):
                    declaring = channel.declare_exchange(
                        DEADLETTERS.name, ExchangeType.FANOUT, durable=True, passive=passive
                    )
                    await within(ANSWER_TIMEOUT, declaring)
    except Missing:
        return []  # the next process that starts creates it
    except TransportError as error:
        return [str(error)]
    return []
