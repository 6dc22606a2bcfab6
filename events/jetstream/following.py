"""What a stream has and what comes, read by one process without a consumer (see `events.jetstream.reading`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from events import subjects
from events.event import Event
from events.faults import Fault
from events.jetstream.configs import ACK_WAIT
from events.jetstream.faults import failed
from events.jetstream.log import event_of
from events.jetstream.walking import next_message
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.transport import Channel

LOOK_EVERY = timedelta(seconds=0.05)
"""Between two questions to the server while nothing comes."""

log = structlog.get_logger(__name__)


class ReadOnlyDelivery:
    """Implements `events.transport.Delivery` for what stays where it is: there is nothing to settle."""

    attempt = 1

    def __init__(self, message: RawStreamMsg) -> None:
        self.event: Event
        self.published_at: datetime
        self.event, self.published_at = event_of(message)

    async def extend(self) -> None: ...

    async def ack(self) -> None: ...

    async def retry(self, delay: timedelta) -> None: ...

    async def discard(self) -> None: ...


class Following:
    """Implements `events.transport.Subscription`, for this process alone: what was there before, then what comes."""

    lease = ACK_WAIT

    def __init__(self, js: JetStreamContext, stream: str, filter_subject: str, first: int, *, clock: Clock) -> None:
        self._js = js
        self._stream = stream
        self._filter = filter_subject
        self._next = first
        self._clock = clock
        self._log_throttle = LogThrottle()

    async def leave(self) -> None:
        """Nothing is on its way to anybody."""

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[ReadOnlyDelivery]:
        """Raises TransportError if the stream is gone or this user may not read it."""
        end = self._clock.monotonic() + timeout.total_seconds()
        found: list[ReadOnlyDelivery] = []
        while len(found) < limit:
            message = await self._look()
            if message:
                self._next = (message.seq or 0) + 1
                found.append(ReadOnlyDelivery(message))
            elif found or self._clock.monotonic() >= end:
                break
            else:
                await self._clock.sleep(LOOK_EVERY)
        return found

    async def _look(self) -> RawStreamMsg | None:
        if not self._js._nc.is_connected:
            return None  # nats-py would keep each question, and ask them all later
        try:
            return await next_message(self._js, self._stream, self._filter, self._next)
        except (NatsError, OSError) as error:
            fault = failed(f"stream {self._stream} could not be followed", error)
            if fault.fault is Fault.FATAL:
                raise fault from None
            if self._log_throttle.due("failed"):
                log.warning("nats.fetch_failed", error=str(fault))
            return None


async def following(js: JetStreamContext, channel: Channel, filter_subject: str, *, clock: Clock) -> Following:
    """Everything under the matching subjects. Raises TransportError."""
    stream = subjects.stream(channel)
    try:
        state = (await js.stream_info(stream)).state
    except (NatsError, OSError) as error:
        raise failed(f"stream {stream} could not be followed", error) from None
    return Following(js, stream, filter_subject, state.first_seq, clock=clock)
