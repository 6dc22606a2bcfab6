"""A look at RabbitMQ that changes nothing: which of our queues are missing, and which are not as they must be."""

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
"""A queue that keeps what was acknowledged, and begins anew for each consumer: no bridge can use one."""


@dataclass(frozen=True, slots=True)
class RabbitMQInspection:
    """`missing`: names; `faults`: what to mend, a line each; `adopted`: what a bridge uses as others made it."""

    missing: tuple[str, ...]
    faults: tuple[str, ...]
    adopted: tuple[str, ...]


async def inspect(broker: Broker, others: Iterable[Queue] = ()) -> RabbitMQInspection:
    """Look at our queues, and at `others` that a bridge takes from or puts into."""
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
        await declare(channel, replace(queue, passive=True))  # a queue that is missing is not made
    async with open_channel(connection) as channel:
        await declare(channel, queue)


async def _exchange(connection: AbstractRobustConnection) -> list[str]:
    """What the dead letters come through."""
    try:
        for passive in (True, False):
            async with open_channel(connection) as channel:
                with translate_errors(f"exchange {DEADLETTERS.name}"):
                    declaring = channel.declare_exchange(
                        DEADLETTERS.name, ExchangeType.FANOUT, durable=True, robust=False, passive=passive
                    )
                    await within(ANSWER_TIMEOUT, declaring)
    except Missing:
        return []  # the next start of a process makes it
    except TransportError as error:
        return [str(error)]
    return []
