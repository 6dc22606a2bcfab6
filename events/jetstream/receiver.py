"""Receive messages from a pull consumer in advance, with one request for as many as the process has room for.

nats-py's own `fetch` sends a request each time and creates a task for each message: half the cost of a short answer.
Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-37.md
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Self

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from events.jetstream.client import Client
from events.jetstream.configs import ACK_WAIT
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff, Pauses

SLACK = timedelta(seconds=0.25)
"""Time after a request's expiry when it counts as lost if the server has not ended it."""

REFUSED = Backoff(timedelta(seconds=0.25), timedelta(seconds=2))
"""Pauses after refused requests, e.g. because the consumer is missing."""

MAX_WAIT = ACK_WAIT / 2
"""Time after which an unfetched message is dropped, as half its lease is over; it is delivered again."""

HEARTBEAT, EXPIRED = "100", "408"

log = structlog.get_logger(__name__)


class PullReceiver:
    """The pull requests of one process to a consumer. Not safe to use in several tasks at a time."""

    def __init__(self, nats: Client, stream: str, consumer: str, *, random: Random) -> None:
        self.subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._nats = nats
        self._inbox = nats.new_inbox()
        self._number = 0
        self._expected = 0
        """Messages that the current request may still bring, until it has ended or `_until`."""
        self._until = 0.0
        self._not_before = 0.0
        self._arrived: deque[tuple[float, Msg]] = deque()
        self._changed = asyncio.Event()
        self._refused = Pauses(REFUSED, random)
        self._log_throttle = LogThrottle()

    @classmethod
    async def open(cls, nats: Client, stream: str, consumer: str, *, random: Random) -> Self:
        """Subscribe to the replies. While the consumer is missing, nothing arrives."""
        receiver = cls(nats, stream, consumer, random=random)
        await nats.listening.listen(f"{receiver._inbox}.*", receiver._receive)
        return receiver

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[Msg]:
        """Return at most `limit` messages as soon as there are any; none if none came within `timeout`.

        Later ones are stored for the next call, which must come before their leases expire.
        """
        end = self._nats.now + timeout.total_seconds()
        while True:
            self._changed.clear()
            found = self._pop(limit)
            if found or self._nats.now >= end:
                return found
            await self._request(limit, timeout)
            await self._wait(min(end, max(self._until, self._not_before)))

    async def stop(self) -> Sequence[Msg]:
        """Send no more requests; return the messages that arrive before the last request has expired."""
        self._not_before = float("inf")
        while self._expected > 0 and self._nats.now < self._until:
            self._changed.clear()
            await self._wait(self._until)
        return self._pop(len(self._arrived))

    async def _request(self, limit: int, timeout: timedelta) -> None:
        now = self._nats.now
        if self._nats.is_connected and now >= self._not_before and (self._expected <= 0 or now >= self._until):
            self._number += 1
            self._expected, self._until = limit, now + (timeout + SLACK).total_seconds()
            request = {"batch": limit, "expires": int(timeout / timedelta(microseconds=1)) * 1000}
            try:
                await self._nats.publish(self.subject, json.dumps(request).encode(), f"{self._inbox}.{self._number}")
            except (NatsError, OSError) as error:
                self._refuse(type(error).__name__, str(error) or type(error).__name__)
        elif not self._nats.is_connected:
            # nats-py would buffer the requests and send them all after reconnecting.
            self._end(REFUSED.first)

    async def _wait(self, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._changed.wait()

    def _receive(self, message: Msg) -> None:
        if message.reply.startswith("$JS.ACK."):
            self._refused.reset()
            self._expected -= 1
            self._arrived.append((self._nats.now, message))
        else:
            self._handle_status((message.headers or {}).get("Status", ""), message)
        self._changed.set()

    def _handle_status(self, status: str, message: Msg) -> None:
        if status == HEARTBEAT or message.subject != f"{self._inbox}.{self._number}":
            return
        if status == EXPIRED:
            self._refused.reset()
            self._end(timedelta(0))
            return
        why = (message.headers or {}).get("Description", "no answer: does the consumer exist?")
        self._refuse(status, f"{status} {why}")

    def _refuse(self, kind: str, why: str) -> None:
        self._end(self._refused.next())
        if self._log_throttle.due(kind):
            log.warning("nats.fetch_failed", error=why, subject=self.subject)

    def _end(self, pause: timedelta) -> None:
        """End the current request and send the next one after `pause`."""
        self._expected, self._until = 0, self._nats.now
        self._not_before = max(self._not_before, self._until + pause.total_seconds())

    def _pop(self, limit: int) -> list[Msg]:
        oldest = self._nats.now - MAX_WAIT.total_seconds()
        found: list[Msg] = []
        while self._arrived and len(found) < limit:
            arrived, message = self._arrived.popleft()
            if arrived >= oldest:
                found.append(message)
        return found
