"""Requests that this process has sent to RabbitMQ and waits for; nothing depends on it but how soon they end."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

from bridge.ids import correlation
from bridge.sent_requests import SentRequest


class WaitEnd(StrEnum):
    """How the waiting for a request ended."""

    STORED = "stored"
    """Its reply came through here and is stored."""
    HEARD = "heard"
    """Somebody published a reply; whether it is stored must be looked up."""
    LOST = "lost"
    """Nobody is left who could answer."""
    UNUSABLE = "unusable"
    """Its reply can't be stored, nor could another one like it."""
    TIMED_OUT = "timed out"


class AwaitedReply:
    """For one request."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.headers: Mapping[str, str] = {}
        self.why = ""
        """Why its reply is unusable."""
        self._end: asyncio.Future[WaitEnd] = asyncio.get_running_loop().create_future()

    def over(self, end: WaitEnd) -> None:
        if not self._end.done():
            self._end.set_result(end)

    async def end(self, within: timedelta) -> WaitEnd:
        await asyncio.wait({self._end}, timeout=max(within.total_seconds(), 0))
        return self._end.result() if self._end.done() else WaitEnd.TIMED_OUT


class AwaitedReplies:
    """All of them, by correlation id."""

    def __init__(self) -> None:
        self._waits: dict[str, AwaitedReply] = {}

    @contextmanager
    def open(self, request_id: str) -> Iterator[AwaitedReply]:
        key = correlation(request_id)
        wait = self._waits[key] = AwaitedReply(request_id)
        try:
            yield wait
        finally:
            if self._waits.get(key) is wait:
                del self._waits[key]

    def note(self, correlation_id: str) -> SentRequest | None:
        """What is known about a request that is waited for."""
        wait = self._waits.get(correlation_id)
        return SentRequest(request_id=wait.request_id, headers=wait.headers) if wait else None

    @contextmanager
    def storing(self, request_id: str) -> Iterator[None]:
        """Inside, the reply is published; what is heard of it meanwhile is our own voice."""
        key = correlation(request_id)
        wait = self._waits.pop(key, None)
        try:
            yield
        except BaseException:
            if wait:
                self._waits.setdefault(key, wait)
            raise
        if wait:
            wait.over(WaitEnd.STORED)

    def heard(self, request_id: str) -> None:
        if wait := self._waits.get(correlation(request_id)):
            wait.over(WaitEnd.HEARD)

    def unusable(self, request_id: str, why: str) -> None:
        if wait := self._waits.get(correlation(request_id)):
            wait.why = why
            wait.over(WaitEnd.UNUSABLE)

    def lost(self) -> None:
        for wait in self._waits.values():
            wait.over(WaitEnd.LOST)
