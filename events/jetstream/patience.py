"""A cluster that is choosing a leader does not answer for a while: that is no fault yet."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

PATIENCE = timedelta(seconds=15)
"""An election takes up to 10 s."""

PAUSE = timedelta(seconds=0.25)

NO_PEERS = 10005
"""Too few nodes for the copies, as long as not all of them have started."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def patiently(ask: Callable[[], Awaitable[T]], *, patience: timedelta = PATIENCE) -> T:
    """What `ask` gives, asked again while the answer is that nobody can answer. Raises NatsError."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience.total_seconds()
    told = False
    while True:
        try:
            return await ask()
        except NatsError as error:
            if not is_passing(error) or loop.time() >= end:
                raise
            if not told:
                log.warning("nats.waiting", error=str(error) or type(error).__name__)
                told = True
            await asyncio.sleep(PAUSE.total_seconds())


def is_passing(error: NatsError) -> bool:
    """Whether asking again may help."""
    passing = NatsTimeoutError | NoRespondersError | NoStreamResponseError | ServiceUnavailableError
    return isinstance(error, passing) or (isinstance(error, APIError) and error.err_code == NO_PEERS)
