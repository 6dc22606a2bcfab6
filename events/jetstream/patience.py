"""Wait for a cluster that does not answer while it elects a leader."""

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
    """Return what `ask` returns, retrying passing errors for `patience`. Raises NatsError."""
    told = False

    def tell(error: Exception, pause: timedelta) -> None:
        nonlocal told
        if not told:
            log.warning("nats.waiting", error=str(error) or type(error).__name__)
            told = True

    return await retrying(ask, passing=is_passing, backoff=PAUSES, patience=patience, failed=tell)
