"""Declare queues: ours are durable and replicated, the original's are as the original declares them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aio_pika import Channel as AmqpChannel
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue, AbstractRobustConnection

from events import subjects
from events.errors import TransportError
from events.faults import Fault
from events.rabbitmq.faults import DeclaredDifferently, Missing, translate_errors
from events.runtime.retrying import Retrying
from events.runtime.tasks import finish, within
from events.transport import Channel

DELIVERY_LIMIT = 1000
"""A limit for receivers that do not count; the maximum of `GENERATE_ATTEMPTS`. The broker's default is 20."""

REPLIES_EXPIRE = timedelta(hours=24)
"""How long a reply waits for a bridge."""

DEADLETTERS_EXPIRE = timedelta(days=7)

CHANNEL_TIMEOUT = timedelta(seconds=2)
"""To open a channel, for which the connection may have to come back first."""

ANSWER_TIMEOUT = timedelta(seconds=5)
"""For the broker to declare a queue, which takes a busy node a while."""

PATIENCE = timedelta(seconds=15)
"""For a broker that does not answer a process that starts; as with NATS."""

CLOSE_TIMEOUT = timedelta(seconds=1)
"""To close a channel; the end of the connection closes it too."""

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4, 8, 16, 32))
"""Delays of retries. Each has its own queue, since a queue expires messages only at its head."""

QUORUM = {"x-queue-type": "quorum"}

# Dead-lettered messages reach the next queue even if the node dies meanwhile; this needs `reject-publish`.
AT_LEAST_ONCE = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's declaration. A `passive` one belongs to others and is used unchanged."""

    name: str
    durable: bool = True
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    passive: bool = False


def requests_queue(name: str) -> Queue:
    """Return a queue of requests for workers; failed and expired ones go to the dead letters."""
    return Queue(
        name,
        arguments={
            **QUORUM,
            **AT_LEAST_ONCE,
            "x-dead-letter-exchange": subjects.destination(Channel.DEADLETTERS),
            "x-delivery-limit": DELIVERY_LIMIT,
        },
    )


REQUESTS = requests_queue(subjects.destination(Channel.REQUESTS))
DEADLETTERS = Queue(
    subjects.destination(Channel.DEADLETTERS),
    arguments={
        **QUORUM,
        "x-message-ttl": DEADLETTERS_EXPIRE // timedelta(milliseconds=1),
        "x-delivery-limit": DELIVERY_LIMIT,
    },
)


def replies_queue(name: str) -> Queue:
    """Return a queue of replies, also for the original's model servers, whose replies are not persistent otherwise."""
    return Queue(
        name,
        arguments={
            **QUORUM,
            "x-message-ttl": REPLIES_EXPIRE // timedelta(milliseconds=1),
            "x-delivery-limit": DELIVERY_LIMIT,
        },
    )


REPLIES = replies_queue(subjects.destination(Channel.REPLIES))
ORIGINAL_REPLIES = replies_queue(f"{REPLIES.name}.original")


def original_queue(name: str) -> Queue:
    """Return a queue as the original's model server declares it."""
    return Queue(name, durable=False)


def retry_queue(delay: timedelta) -> Queue:
    """Return the queue in which a request waits for the first of `DELAYS` not below `delay`, or the longest."""
    wait = next((step for step in DELAYS if step >= delay), DELAYS[-1]) // timedelta(milliseconds=1)
    return Queue(
        f"{REQUESTS.name}.retry.{wait}",
        arguments={
            **QUORUM,
            **AT_LEAST_ONCE,
            "x-message-ttl": wait,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": REQUESTS.name,
        },
    )


OURS = (DEADLETTERS, REQUESTS, REPLIES, *map(retry_queue, DELAYS))


async def ensure(connection: AbstractRobustConnection) -> None:
    """Ensure that our queues and the dead-letter exchange exist. Raises TransportError."""
    async with open_channel(connection) as channel:
        queues = [await declare(channel, queue) for queue in OURS]
        with translate_errors(DEADLETTERS.name):
            exchange = await channel.declare_exchange(DEADLETTERS.name, ExchangeType.FANOUT, durable=True)
            await queues[0].bind(exchange)


async def ensure_patiently(connection: AbstractRobustConnection, *, retrying: Retrying) -> None:
    """As `ensure`, for a process that starts: passing errors are retried for `PATIENCE`. Raises TransportError."""
    await retrying(lambda: ensure(connection), passing=_is_passing, patience=PATIENCE)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, TransportError) and error.fault is Fault.PASSING


async def restore(connection: AbstractRobustConnection) -> bool:
    """Create our queues where they are missing, for `Upkeep.keep`. Raises TransportError."""
    await ensure(connection)
    return False


async def set_up(connection: AbstractRobustConnection) -> Sequence[str]:
    """Create our queues and the dead-letter exchange; return one line for each queue created. Raises TransportError."""
    missing = [queue.name for queue in OURS if not await _exists(connection, queue)]
    await ensure(connection)
    return [f"created queue {name}" for name in missing]


async def _exists(connection: AbstractRobustConnection, queue: Queue) -> bool:
    try:
        async with open_channel(connection) as channel:
            await declare(channel, replace(queue, passive=True))
    except TransportError:
        return False  # creating the queue reports any other error
    return True


async def adopt(connection: AbstractRobustConnection, queue: Queue) -> Queue:
    """Ensure that `queue` exists, and return it: passive if it is declared differently. Raises TransportError.

    A passive one that has disappeared is created as ours.
    """
    try:
        await _declared(connection, queue)
    except Missing:
        return await adopt(connection, replace(queue, passive=False)) if queue.passive else queue
    except DeclaredDifferently:
        return replace(queue, passive=True)
    return queue


async def consumer_counts(connection: AbstractRobustConnection, *queues: Queue) -> list[int]:
    """Return the number of consumers of each queue, and recreate queues lost with their node. Raises TransportError."""
    try:
        return await _declared(connection, *queues)
    except (Missing, DeclaredDifferently):
        return await _declared(connection, *[await adopt(connection, queue) for queue in queues])


async def _declared(connection: AbstractRobustConnection, *queues: Queue) -> list[int]:
    async with open_channel(connection) as channel:
        return [(await declare(channel, queue)).declaration_result.consumer_count or 0 for queue in queues]


async def declare(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    """Declare `queue`. Raises TransportError."""
    with translate_errors(queue.name):
        declaring = channel.declare_queue(
            queue.name,
            durable=queue.durable,
            arguments=dict(queue.arguments) or None,
            passive=queue.passive,
        )
        return await within(ANSWER_TIMEOUT, declaring)


@asynccontextmanager
async def open_channel(connection: AbstractRobustConnection) -> AsyncIterator[AbstractChannel]:
    """Open a channel for the block; a refused declaration closes it.

    A robust channel would open once more after a refusal, and stay open.
    """
    with translate_errors("a channel"):
        channel = AmqpChannel(connection, publisher_confirms=False)
        try:
            await within(CHANNEL_TIMEOUT, channel.initialize())
        except BaseException:
            await finish(CLOSE_TIMEOUT, close_channel(channel))
            raise
    try:
        yield channel
    finally:
        await finish(CLOSE_TIMEOUT, close_channel(channel))


async def close_channel(channel: AbstractChannel) -> None:
    """Close `channel`, as a coroutine for `finish`."""
    await channel.close()
