"""Read a stream without a consumer: all of its messages, what a channel has now, or what it has and will get.

Whoever may create a consumer chooses where the server delivers, with the server's rights, so the owner's tools may not.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from math import inf

import structlog
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, StreamState

from events import subjects
from events.errors import TransportError
from events.event import Event
from events.faults import Fault
from events.jetstream.api import client_of, find_message
from events.jetstream.configs import ACK_WAIT
from events.jetstream.faults import retry_passing, translate_errors
from events.jetstream.log import event_of
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying
from events.runtime.tasks import run_all
from events.transport import Channel

READERS = 32

LOOK_EVERY = timedelta(seconds=0.05)
"""Between two requests to the server while nothing comes."""

Take = Callable[[RawStreamMsg], Awaitable[None]]

log = structlog.get_logger(__name__)


async def walk(
    js: JetStreamContext, stream: str, filter_subject: str, take: Take, *, retrying: Retrying, readers: int = READERS
) -> None:
    """Pass every matching message to `take`, several at once, in no order. Raises NatsError.

    One that is replaced meanwhile comes as it was, or as it is, or both. Following sequence numbers is cheaper than
    listing subjects: the server sorts all subjects for each page, and reading by subject jumps about in the files.
    """

    async def read(first: int, last: float) -> None:
        sequence = first
        while found := await retry_passing(
            partial(find_message, js, stream, filter_subject, first=sequence), retrying=retrying
        ):
            assert found.seq is not None
            if found.seq > last:
                return
            await take(found)
            sequence = found.seq + 1

    state = (await retry_passing(lambda: js.stream_info(stream), retrying=retrying)).state
    await run_all(*(read(first, last) for first, last in _ranges(state, readers)))
    # What was replaced before its reader came to it has a higher sequence number now.
    await read(state.last_seq + 1, inf)


def _ranges(state: StreamState, count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last sequence number of `count` ranges of equal size."""
    size = -(-(state.last_seq + 1 - state.first_seq) // count)
    for first in range(state.first_seq, state.last_seq + 1, size or 1):
        yield first, min(first + size - 1, state.last_seq)


async def stored_events(
    js: JetStreamContext, channel: Channel, filter_subject: str, *, retrying: Retrying
) -> Sequence[tuple[datetime, Event]]:
    """Return the channel's events under the matching subjects, oldest first, each with the time it was stored.

    Raises TransportError.
    """
    found: list[RawStreamMsg] = []

    async def take(message: RawStreamMsg) -> None:
        found.append(message)

    stream = subjects.stream(channel)
    with translate_errors(f"stream {stream} could not be read"):
        await walk(js, stream, filter_subject, take, retrying=retrying)
    found.sort(key=lambda message: message.seq or 0)
    # What was published again meanwhile has come twice.
    newest = {message.subject: event_of(message) for message in found}
    return [(since, event) for event, since in newest.values()]


class ReadOnlyDelivery:
    """Implements `events.transport.Delivery` for an event that stays in its stream: settling it has no effect."""

    attempt = 1

    def __init__(self, message: RawStreamMsg) -> None:
        self.event: Event
        self.published_at: datetime
        self.event, self.published_at = event_of(message)

    async def age(self) -> timedelta | None:
        return None

    async def extend(self) -> None: ...

    async def ack(self) -> None: ...

    async def retry(self, delay: timedelta) -> None: ...

    async def discard(self) -> None: ...


class StreamReader:
    """Implements `events.transport.Subscription` for one process: first what the stream has, then what comes."""

    lease = ACK_WAIT

    def __init__(self, js: JetStreamContext, stream: str, filter_subject: str, first: int, *, clock: Clock) -> None:
        self._js = js
        self._stream = stream
        self._filter = filter_subject
        self._next = first
        self._clock = clock
        self._log_throttle = LogThrottle()

    @classmethod
    async def open(cls, js: JetStreamContext, channel: Channel, filter_subject: str, *, clock: Clock) -> "StreamReader":
        """Begin with the oldest event under the matching subjects. Raises TransportError."""
        stream = subjects.stream(channel)
        with translate_errors(f"stream {stream} could not be followed"):
            state = (await js.stream_info(stream)).state
        return cls(js, stream, filter_subject, state.first_seq, clock=clock)

    async def leave(self, *, last_attempt: int) -> Sequence[ReadOnlyDelivery]:
        """Do nothing: there are no deliveries to hand back."""
        return []

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[ReadOnlyDelivery]:
        """Raises TransportError if the stream is gone or this user may not read it."""
        end = self._clock.monotonic() + timeout.total_seconds()
        found: list[ReadOnlyDelivery] = []
        while len(found) < limit:
            message = await self._next_message()
            if message:
                self._next = (message.seq or 0) + 1
                found.append(ReadOnlyDelivery(message))
            elif found or self._clock.monotonic() >= end:
                break
            else:
                await self._clock.sleep(LOOK_EVERY)
        return found

    async def _next_message(self) -> RawStreamMsg | None:
        if not client_of(self._js).is_connected:
            return None  # nats-py would buffer the requests and send them all after reconnecting
        try:
            with translate_errors(f"stream {self._stream} could not be followed"):
                return await find_message(self._js, self._stream, self._filter, first=self._next)
        except TransportError as error:
            if error.fault is Fault.FATAL:
                raise
            if self._log_throttle.due("failed"):
                log.warning("nats.fetch_failed", error=str(error))
            return None
