"""A request's deadline by this process's clock, which may show another time than the asker's."""

from datetime import timedelta

import structlog

from events.event import EPOCH
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.schema import GenerationRequested
from events.transport import Delivery

WORTH_LOGGING = timedelta(seconds=30)
LOG_INTERVAL = 3600.0
"""Seconds between two log lines about the clocks."""

log = structlog.get_logger(__name__)


class Deadlines:
    """Brings the deadlines of requests to this process's clock.

    A request allows a time from its publication on: its deadline and its event's time are by one clock, the asker's.
    How long ago that was the broker knows. It is asked only about a request that seems to be over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._log_throttle = LogThrottle(LOG_INTERVAL)

    async def by_own_clock(self, request: GenerationRequested, delivery: Delivery) -> GenerationRequested:
        """Return `request` with its deadline by this process's clock. Raises TransportError if the broker is away."""
        left = await self._left(request, delivery)
        if left is None:
            return request
        due = self._clock.now() + left
        self._report(due - request.deadline)
        return request.model_copy(update={"deadline": due})

    async def _left(self, request: GenerationRequested, delivery: Delivery) -> timedelta | None:
        """Return how much time a request has, None if what its deadline says is right."""
        if delivery.event.time == EPOCH:  # its sender has not said when it was published
            return None
        left, allowed = request.deadline - self._clock.now(), request.deadline - delivery.event.time
        if left > timedelta(0):
            return allowed if left - allowed > WORTH_LOGGING else None
        age = await delivery.age()
        return None if age is None or age >= allowed else allowed - age

    def _report(self, ahead: timedelta) -> None:
        """Log from time to time that this machine's clock and the asker's differ."""
        if abs(ahead) > WORTH_LOGGING and self._log_throttle.due("ahead" if ahead > timedelta(0) else "behind"):
            log.warning(
                "worker.clock_off",
                seconds=round(ahead.total_seconds()),
                advice=f"this machine's clock is {describe(ahead)} the asker's; set the one that is wrong",
            )


def describe(ahead: timedelta) -> str:
    """Return an offset in words: `1200 s ahead of`."""
    seconds = round(ahead.total_seconds())
    return f"{seconds} s ahead of" if seconds > 0 else f"{-seconds} s behind"
