"""Renew the lease of a delivery while it is processed; it ends with the process that holds it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from events.errors import TransportError
from events.runtime.clock import Clock
from events.runtime.tasks import cancel
from events.transport import Delivery

log = structlog.get_logger(__name__)


@asynccontextmanager
async def kept(delivery: Delivery, lease: timedelta, *, clock: Clock) -> AsyncIterator[None]:
    """Renew the lease every third of its length, so that one lost renewal does not lose the delivery."""
    interval = lease / 3
    renewing: list[asyncio.Task[None]] = []
    # A task only where it takes so long: most deliveries are settled before, and a timer is cheaper.
    timer = asyncio.get_running_loop().call_later(
        interval.total_seconds(), lambda: renewing.append(asyncio.create_task(_renew(delivery, interval, clock)))
    )
    try:
        yield
    finally:
        timer.cancel()
        if renewing:
            await cancel(*renewing)


async def _renew(delivery: Delivery, interval: timedelta, clock: Clock) -> None:
    while True:
        try:
            await delivery.extend()
        except TransportError as error:
            log.warning("lease.not_renewed", request_id=delivery.event.subject, error=str(error))
        await clock.sleep(interval)
