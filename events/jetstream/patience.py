"""A cluster that is choosing a leader does not answer for a while: that is no fault yet."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from events.jetstream.faults import is_passing
from events.runtime.retrying import Backoff, Retrying

PATIENCE = timedelta(seconds=15)
"""An election takes up to 10 s."""

PAUSES = Backoff(timedelta(seconds=0.25), timedelta(seconds=1))

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def patiently(ask: Callable[[], Awaitable[T]], *, retrying: Retrying, patience: timedelta = PATIENCE) -> T:
    """What `ask` gives, asked again while the answer is that nobody can answer. Raises NatsError."""
    told = False

    def tell(error: Exception, pause: timedelta) -> None:
        nonlocal told
        if not told:
            log.warning("nats.waiting", error=str(error) or type(error).__name__)
            told = True

    return await retrying(ask, passing=is_passing, backoff=PAUSES, patience=patience, failed=tell)
