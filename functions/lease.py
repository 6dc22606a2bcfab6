"""Keeps a delivery while it is worked on, and gives it up with the process that holds it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from events.errors import TransportError
from events.transport import Delivery

log = structlog.get_logger(__name__)


@asynccontextmanager
async def kept(delivery: Delivery, lease: timedelta) -> AsyncIterator[None]:
    """Renews the lease every third of it, so that one lost renewal does not lose the delivery."""
    renewing = asyncio.create_task(_renew(delivery, lease / 3))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(delivery: Delivery, interval: timedelta) -> None:
    while True:
        await asyncio.sleep(interval.total_seconds())
        try:
            await delivery.extend()
        except TransportError as error:
            log.warning("lease.not_renewed", request_id=delivery.event.subject, error=str(error))
