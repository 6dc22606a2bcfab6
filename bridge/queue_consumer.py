"""Process the messages of one RabbitMQ queue, each in its own task, with retries."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import structlog

from bridge.complaints import Complaints
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel, unless
from events.transport import MAX_FETCH_WAIT

PREFETCH = 256
"""Messages in hand at once."""

BACKOFF = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=5))
"""Between two tries of the same message while the other broker is away."""

GRACE = timedelta(seconds=1)
"""To finish messages in hand at the end; unfinished ones are delivered again."""

log = structlog.get_logger(__name__)


class MessageHandler(Protocol):
    async def take(self, received: ReceivedMessage) -> None:
        """Process a message, except for acknowledging it. Raises TransportError: try again."""
        ...

    async def give_up(self, received: ReceivedMessage, why: str) -> None:
        """Record a message that can't be processed. Raises TransportError: try again."""
        ...


class QueueConsumer:
    """Passes messages from `receiver` to `taker` and acknowledges them when it has finished."""

    def __init__(self, receiver: Receiver, taker: MessageHandler, retrying: Retrying) -> None:
        self._receiver = receiver
        self._taker = taker
        self._retrying = retrying
        self._log_throttle = LogThrottle()
        self._complain = Complaints()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises TransportError if the process can't go on."""
        try:
            await unless(stop, self._take())
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=GRACE.total_seconds())
        finally:
            await cancel(*self._tasks)

    async def _take(self) -> None:
        while True:
            for received in await self._receiver.fetch(PREFETCH, MAX_FETCH_WAIT):
                task = asyncio.create_task(self._until_done(received))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _until_done(self, received: ReceivedMessage) -> None:
        # Retried here and not by requeueing, which would count as an attempt each time.
        try:
            await self._settle(received)
        except TransportError as error:
            log.info("bridge.unsettled", error=str(error))  # it comes again
        except Exception as error:  # noqa: BLE001 - the others go on, and asyncio must not log what it says
            log.error("bridge.unsettled", error=type(error).__name__)

    async def _settle(self, received: ReceivedMessage) -> None:
        why = await self._tried(received, lambda: self._taker.take(received))
        if why:
            self._complain("bridge.dropped", why, correlation_id=received.message.correlation_id[:100])
            worse = await self._tried(received, lambda: self._taker.give_up(received, why))
            if worse:
                # Unsettled it would keep its place among the messages in hand for ever.
                self._complain("bridge.lost", worse, correlation_id=received.message.correlation_id[:100])
                await received.reject()
                return
        await received.ack()

    async def _tried(self, received: ReceivedMessage, do: Callable[[], Awaitable[None]]) -> str:
        """Return an empty string on success, else why it will never succeed. Raises TransportError if it is stale."""
        unknown = 0

        def passing(error: Exception) -> bool:
            nonlocal unknown
            fault = error.fault if isinstance(error, TransportError) else Fault.UNKNOWN
            unknown += fault is Fault.UNKNOWN
            return fault is not Fault.FINAL and unknown < UNKNOWN_ATTEMPTS and not received.stale

        try:
            await self._retrying(do, passing=passing, backoff=BACKOFF, failed=self._failed)
        except TransportError as error:
            if received.stale or error.fault not in (Fault.FINAL, Fault.UNKNOWN):
                raise
            return str(error)
        except Exception as error:  # one message must not stop the others, nor come again for ever
            if received.stale:
                raise
            # Not the exception's text: it may hold the user's.
            return f"the bridge could not take it ({type(error).__name__}, tried {unknown} times)"
        return ""

    def _failed(self, error: Exception, pause: timedelta) -> None:
        what = str(error) if isinstance(error, TransportError) else type(error).__name__
        if self._log_throttle.due(type(error).__name__):
            log.warning("bridge.again", error=what, seconds=round(pause.total_seconds(), 1))
