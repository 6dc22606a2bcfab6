"""Replies that this process awaits from RabbitMQ. Kept in memory only: losing them delays requests, nothing more."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

from bridge.ids import correlation_id_for
from bridge.sent_requests import SentRequest


class WaitEnd(StrEnum):
    """Why the wait for a reply ended."""

    STORED = "stored"
    """This process has stored the reply."""
    PUBLISHED = "published"
    """Another process has published a reply; check whether it is stored."""
    LOST = "lost"
    """No worker is left that could reply."""
    UNUSABLE = "unusable"
    """The reply can't be stored, and a retry would bring one like it."""
    TIMED_OUT = "timed out"


class AwaitedReply:
    """The reply to one request."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.headers: Mapping[str, str] = {}
        self.flaw = ""
        """Why the reply is unusable."""
        self._end: asyncio.Future[WaitEnd] = asyncio.get_running_loop().create_future()

    def end_wait(self, end: WaitEnd) -> None:
        if not self._end.done():
            self._end.set_result(end)

    async def wait(self, timeout: timedelta) -> WaitEnd:
        await asyncio.wait({self._end}, timeout=max(timeout.total_seconds(), 0))
        return self._end.result() if self._end.done() else WaitEnd.TIMED_OUT


class AwaitedReplies:
    """All awaited replies, by correlation id."""

    def __init__(self) -> None:
        self._replies: dict[str, AwaitedReply] = {}

    @contextmanager
    def awaiting(self, request_id: str) -> Iterator[AwaitedReply]:
        """Inside, the reply to a request is awaited."""
        key = correlation_id_for(request_id)
        reply = self._replies[key] = AwaitedReply(request_id)
        try:
            yield reply
        finally:
            if self._replies.get(key) is reply:
                del self._replies[key]

    def find_request(self, correlation_id: str) -> SentRequest | None:
        """Return what is known about the request of an awaited reply."""
        reply = self._replies.get(correlation_id)
        return SentRequest(request_id=reply.request_id, headers=reply.headers) if reply else None

    @contextmanager
    def storing(self, request_id: str) -> Iterator[None]:
        """End the wait for a reply once the body has published it.

        Inside, `on_published` ignores this reply: this process itself publishes it.
        """
        key = correlation_id_for(request_id)
        reply = self._replies.pop(key, None)
        try:
            yield
        except BaseException:
            if reply:
                self._replies.setdefault(key, reply)
            raise
        if reply:
            reply.end_wait(WaitEnd.STORED)

    def on_published(self, request_id: str) -> None:
        if reply := self._replies.get(correlation_id_for(request_id)):
            reply.end_wait(WaitEnd.PUBLISHED)

    def on_unusable(self, request_id: str, flaw: str) -> None:
        if reply := self._replies.get(correlation_id_for(request_id)):
            reply.flaw = flaw
            reply.end_wait(WaitEnd.UNUSABLE)

    def on_workers_lost(self) -> None:
        for reply in self._replies.values():
            reply.end_wait(WaitEnd.LOST)
