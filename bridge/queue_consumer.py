"""Process the messages of one RabbitMQ queue, each in its own task, with retries."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

import structlog

from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.runtime.log_throttle import REMEMBERED, LogThrottle
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel, until_stopped
from events.transport import MAX_FETCH_WAIT

PREFETCH = 256
"""Messages in flight at once."""

BACKOFF = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=5))
"""Between two attempts at the same message while the other broker is away."""

GRACE = timedelta(seconds=1)
"""To finish messages in flight during shutdown; unfinished ones are redelivered."""

VALUES = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")
"""Quoted texts and numbers: errors of one kind differ only in these."""

MAX_ERROR = 500
"""Characters of an error in a log line."""

log = structlog.get_logger(__name__)


class ErrorLog:
    """Logs errors in what strangers send: one line of each kind in ten seconds. One instance per queue."""

    def __init__(self) -> None:
        self._log_throttle = LogThrottle()
        self._left_out: Counter[str] = Counter()

    def __call__(self, event: str, error: str, **fields: Any) -> None:
        """Log `event`, with the number of lines of its kind left out since the last one."""
        kind = f"{event} {VALUES.sub('', error)}"
        if not self._log_throttle.due(kind):
            if len(self._left_out) < REMEMBERED or kind in self._left_out:
                self._left_out[kind] += 1
            return
        if left_out := self._left_out.pop(kind, 0):
            fields["left_out"] = left_out
        log.error(event, error=error[:MAX_ERROR], **fields)


class MessageHandler(Protocol):
    async def handle_message(self, received: ReceivedMessage) -> None:
        """Process a message, except for acknowledging it. Raises TransportError: retry."""
        ...

    async def give_up(self, received: ReceivedMessage, reason: str) -> None:
        """Record a message that can't be processed. Raises TransportError: retry."""
        ...


class QueueConsumer:
    """Passes messages from `receiver` to `handler` and acknowledges them when it has finished."""

    def __init__(self, receiver: Receiver, handler: MessageHandler, retrying: Retrying) -> None:
        self._receiver = receiver
        self._handler = handler
        self._retrying = retrying
        self._log_throttle = LogThrottle()
        self._log_error = ErrorLog()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises TransportError if the process can't go on."""
        try:
            await until_stopped(stop, self._consume())
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=GRACE.total_seconds())
        finally:
            await cancel(*self._tasks)

    async def _consume(self) -> None:
        while True:
            for received in await self._receiver.fetch(PREFETCH, MAX_FETCH_WAIT):
                task = asyncio.create_task(self._process(received))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _process(self, received: ReceivedMessage) -> None:
        try:
            await self._settle(received)
        except TransportError as error:
            log.info("bridge.unsettled", error=str(error))  # it is redelivered
        except Exception as error:  # noqa: BLE001 - other messages go on, and asyncio must not log the error's text
            log.error("bridge.unsettled", error=type(error).__name__)

    async def _settle(self, received: ReceivedMessage) -> None:
        failure = await self._attempt(received, lambda: self._handler.handle_message(received))
        if failure:
            self._log_error("bridge.dropped", failure, correlation_id=received.message.correlation_id[:100])
            worse = await self._attempt(received, lambda: self._handler.give_up(received, failure))
            if worse:
                # Unsettled, it would occupy one of the `PREFETCH` places forever.
                self._log_error("bridge.lost", worse, correlation_id=received.message.correlation_id[:100])
                await received.reject()
                return
        await received.ack()

    async def _attempt(self, received: ReceivedMessage, do: Callable[[], Awaitable[None]]) -> str:
        """Retry `do`; return an empty string on success, else why it can't succeed.

        Retries here rather than by requeueing, which would count as a delivery each time. Raises TransportError if the
        message is stale.
        """
        unknown = 0

        def passing(error: Exception) -> bool:
            nonlocal unknown
            fault = error.fault if isinstance(error, TransportError) else Fault.UNKNOWN
            unknown += fault is Fault.UNKNOWN
            return fault is not Fault.FINAL and unknown < UNKNOWN_ATTEMPTS and not received.stale

        try:
            await self._retrying(do, passing=passing, backoff=BACKOFF, failed=self._log_retry)
        except TransportError as error:
            if received.stale or error.fault not in (Fault.FINAL, Fault.UNKNOWN):
                raise
            return str(error)
        except Exception as error:  # one message must not stop the others, nor be redelivered forever
            if received.stale:
                raise
            # Without the exception's text, which may contain a user's.
            return f"the bridge could not process it ({type(error).__name__}, {unknown} attempts)"
        return ""

    def _log_retry(self, error: Exception, pause: timedelta) -> None:
        text = str(error) if isinstance(error, TransportError) else type(error).__name__
        if self._log_throttle.due(type(error).__name__):
            log.warning("bridge.again", error=text, seconds=round(pause.total_seconds(), 1))
