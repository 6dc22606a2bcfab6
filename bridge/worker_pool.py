"""The workers on RabbitMQ as one pool: how many requests they can take now."""

import math
from collections.abc import Callable
from datetime import timedelta

import structlog

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.topology import Queue
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff, Retrying

INTERVAL = timedelta(seconds=0.5)
"""Between two measurements."""

BACKOFF = Backoff(first=INTERVAL, most=timedelta(seconds=2))
"""Between two attempts while RabbitMQ does not answer."""

EMPTY_GRACE = timedelta(seconds=5)
"""An empty pool may be restarting; after this time its workers count as lost."""

log = structlog.get_logger(__name__)


class WorkerPool:
    """Measures how many requests the workers can take; calls `on_lost` when no worker is left that could reply."""

    def __init__(
        self,
        broker: Broker,
        requests: Queue,
        replies: Queue,
        *,
        prefetch: int,
        on_lost: Callable[[], None],
        retrying: Retrying,
    ) -> None:
        self._broker = broker
        self._clock = retrying.clock
        self._log_throttle = LogThrottle()
        self._pauses = retrying.pauses(BACKOFF)
        self._requests = requests
        self._replies = replies
        self._prefetch = prefetch
        self._on_lost = on_lost
        self._empty_since: float | None = None
        self.size = 0

    async def watch(self) -> None:
        """Measure again and again, until cancelled."""
        while True:
            pause = INTERVAL if await self.measure() else self._pauses.next()
            await self._clock.sleep(pause)

    async def measure(self) -> bool:
        """Update `size`; return whether RabbitMQ answered.

        Each worker takes `prefetch` requests. Bridges, counted by their consumers on the replies, share the workers.
        """
        try:
            workers, bridges = await topology.consumer_counts(self._broker.consuming, self._requests, self._replies)
        except TransportError as error:
            if self._log_throttle.due(str(error)):
                log.warning("bridge.pool_unknown", error=str(error))
            self._resize(0)
            if not self._requests.durable:
                # A transient queue disappears with its node, and so do the requests in it.
                self._on_lost()
            return False
        self._log_throttle.reset()
        self._pauses.reset()
        self._resize(math.ceil(workers * self._prefetch / max(bridges, 1)))
        return True

    def _resize(self, size: int) -> None:
        if size != self.size:
            log.info("bridge.pool", size=size)
        self.size = size
        now = self._clock.monotonic()
        if size:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since > EMPTY_GRACE.total_seconds():
            self._on_lost()
