"""Messages of one RabbitMQ queue, each in a task of its own and tried until it is done."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from events.errors import TransportError
from events.rabbitmq.receiver import Received, Receiver
from events.runtime.clock import Clock
from events.transport import MAX_FETCH_WAIT

PREFETCH = 256
"""Messages in hand at once."""

RETRY_DELAY = timedelta(seconds=1)
"""Between two tries of the same message while the other broker is away."""

GRACE = timedelta(seconds=5)
"""To finish what is in hand at the end; what is left comes again."""

log = structlog.get_logger(__name__)

Take = Callable[[Received], Awaitable[None]]
"""Does all that a message asks for, except to acknowledge it. Raises TransportError: try again."""


async def pump(receiver: Receiver, take: Take, stop: asyncio.Event, clock: Clock) -> None:
    """Until `stop` is set. A message is acknowledged once `take` is through with it."""
    tasks: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        for received in await receiver.fetch(PREFETCH, MAX_FETCH_WAIT):
            task = asyncio.create_task(_until_done(received, take, clock))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=GRACE.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _until_done(received: Received, take: Take, clock: Clock) -> None:
    # In place and not by giving it back, which would count as an attempt each time.
    while not received.stale:
        try:
            await take(received)
            await received.ack()
        except TransportError as error:
            log.warning("bridge.again", error=str(error), seconds=RETRY_DELAY.total_seconds())
            await clock.sleep(RETRY_DELAY)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others, nor come again for ever
            log.error("bridge.dropped", error=type(error).__name__)
            await received.ack()
            return
        else:
            return
