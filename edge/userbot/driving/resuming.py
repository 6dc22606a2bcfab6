"""Resume the unfinished chats that the index names, and build the index if it is not complete."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from edge.userbot.chat.question_progress import doubt_question
from edge.userbot.chat.record import UnreadableRecord
from edge.userbot.storage.chats import STORE_PAUSES, Chats
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying
from events.runtime.tasks import for_each

CONCURRENT_READS = 16
"""Records that are read concurrently."""
MAX_LOGGED = 20
"""Chats of a kind that are left out and named in the log; the others are only counted."""
FATAL_GRACE = timedelta(seconds=30)
"""How long to wait until another process creates or permits what is missing. The topology's upkeep takes less."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass
class _Resumed:
    """Counts of chats: resumed, left out because the record can't be read, and because it could not be loaded."""

    count: int = 0
    unreadable: int = 0
    failed: int = 0


async def never() -> bool:
    return False


class Resuming:
    """Every method waits while the store is away, and raises TransportError for a fault that does not pass."""

    def __init__(self, chats: Chats, retrying: Retrying) -> None:
        self._chats = chats
        self._retrying = retrying
        self._log_throttle = LogThrottle()
        self._store_recreated = asyncio.Event()
        self.index_existed = False
        """Whether the index was complete at the start."""
        self.has_run_before = False
        """Whether an earlier process has left the index, or the record of a chat."""

    async def resume(self, wake: Callable[[str], None]) -> None:
        """Call `wake` with each unfinished chat."""
        resumed = _Resumed()

        async def take_up(chat: str) -> None:
            if await self._has_work(chat, resumed):
                resumed.count += 1
                wake(chat)

        await for_each(await self._retry_while_away(self._chats.index.chats), take_up, at_once=CONCURRENT_READS)
        log.info("chats.resumed", **asdict(resumed))

    async def _has_work(self, chat: str, resumed: _Resumed) -> bool:
        """Return whether a marked chat is unfinished. Count one that can't be read, and return False."""
        try:
            return await self._retry_while_away(lambda: self._recheck(chat))
        except UnreadableRecord as error:
            resumed.unreadable += 1
            if resumed.unreadable <= MAX_LOGGED:
                self._chats.unreadable.note(chat, error)
        except TransportError as error:
            if error.fault is Fault.FATAL:
                raise
            resumed.failed += 1
            if resumed.failed <= MAX_LOGGED:
                log.error("chat.not_resumed", chat=chat, error=str(error))
        return False

    async def _recheck(self, chat: str) -> bool:
        """Return whether a marked chat is unfinished. After a restore its user may have seen its outcome already."""
        unfinished = await self._chats.recheck(chat)
        if unfinished and not self.index_existed:
            restored_at = await self._chats.restored_at()
            await self._chats.change(chat, lambda record: doubt_question(record, restored_at))
        return unfinished

    async def complete_index(self, *, outdated: Callable[[], Awaitable[bool]] = never) -> None:
        """Build the index at the start unless it is complete and not `outdated`. Chats may change meanwhile."""
        self.index_existed = await self._retry_while_away(self._chats.index.is_complete)
        self.has_run_before = self.index_existed
        if await self._retry_while_away(outdated):
            await self._build()
        await self._build_until_complete()

    def on_store_recreated(self) -> None:
        """Check the index: it may have been lost with its store."""
        self._store_recreated.set()

    async def keep_complete(self, wake: Callable[[str], None]) -> None:
        """Run until cancelled: rebuild the index when it is lost, and resume chats that it did not name."""
        while True:
            await self._store_recreated.wait()
            self._store_recreated.clear()
            await self._retry_while_away(self._chats.restore_lost)
            if await self._build_until_complete():
                await self.resume(wake)

    async def _build_until_complete(self) -> bool:
        """Build the index until it is complete. Return whether that was necessary."""
        built = False
        while not await self._retry_while_away(self._chats.index.is_complete):
            await self._build()
            built = True
        return built

    async def _build(self) -> None:
        """Build the index once. It stays incomplete if the store was recreated meanwhile, as its marks are lost."""
        index = self._chats.index
        index.forget_all()
        created_at = await self._retry_while_away(index.created_at)
        read = 0

        async def look_at(chat: str, unfinished: bool) -> None:
            nonlocal read
            # Even if a mark is known: it may be lost, and the change that made it may have failed.
            if unfinished:
                await self._retry_while_away(lambda: index.add(chat))
            read += 1
            if self._log_throttle.due("progress"):
                log.info("index.building", read=read)

        async def look_through() -> None:
            nonlocal read
            read = 0
            await self._chats.each(look_at)

        await self._retry_while_away(look_through)
        await self._retry_while_away(lambda: index.mark_complete(created_at))
        self.has_run_before = self.has_run_before or read > 0
        log.info("index.built", read=read)

    async def _retry_while_away(self, ask: Callable[[], Awaitable[T]]) -> T:
        clock = self._retrying.clock
        end, unknown = 0.0, 0

        def passing(error: Exception) -> bool:
            nonlocal end, unknown
            if not isinstance(error, TransportError):
                return False
            if error.fault is Fault.FATAL:
                end = end or clock.monotonic() + FATAL_GRACE.total_seconds()
                return clock.monotonic() < end
            unknown += error.fault is not Fault.PASSING
            return error.fault is not Fault.FINAL and unknown < UNKNOWN_ATTEMPTS

        def failed(error: Exception, pause: timedelta) -> None:
            if self._log_throttle.due("away"):
                log.warning("chats.not_read", error=str(error))

        return await self._retrying(ask, passing=passing, backoff=STORE_PAUSES, failed=failed)
