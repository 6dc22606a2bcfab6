"""Which chats a start has to take up: those that the index names. Where the index is not complete, it is built."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from edge.userbot.chat.record import UnreadableRecord
from edge.userbot.storage.chats import AWAY, Chats
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying
from events.runtime.tasks import for_each

AT_ONCE = 16
"""Records that are read at the same time."""
MOST_NAMED = 20
"""Chats of a kind that a start leaves out and names in the log; of all it says how many they are."""
GRACE = timedelta(seconds=30)
"""For someone else to create or permit what is missing; the look after the topology takes less."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass
class _Resumed:
    """How many chats a start took up; how many it left out as their records can't be read, or the store gave none."""

    count: int = 0
    unreadable: int = 0
    failed: int = 0


async def never() -> bool:
    return False


class Resuming:
    """Every method waits while the store is away, and raises TransportError if that is of no use."""

    def __init__(self, chats: Chats, retrying: Retrying) -> None:
        self._chats = chats
        self._retrying = retrying
        self._log_throttle = LogThrottle()
        self._remade = asyncio.Event()
        self.was_complete = False
        """Whether the index was there at the start: then an earlier life has been here."""

    async def resume(self, wake: Callable[[str], None]) -> None:
        """Call `wake` with each chat that has something to do."""
        resumed = _Resumed()

        async def take_up(chat: str) -> None:
            if await self._has_work(chat, resumed):
                resumed.count += 1
                wake(chat)

        await for_each(await self._patiently(self._chats.index.chats), take_up, at_once=AT_ONCE)
        log.info("chats.resumed", **asdict(resumed))

    async def _has_work(self, chat: str, resumed: _Resumed) -> bool:
        """Whether a marked chat has something to do; one that can't be read is counted and left out."""
        try:
            return await self._patiently(lambda: self._chats.recheck(chat))
        except UnreadableRecord as error:
            resumed.unreadable += 1
            if resumed.unreadable <= MOST_NAMED:
                self._chats.unreadable.note(chat, error)
        except TransportError as error:
            if error.fault is Fault.FATAL:
                raise
            resumed.failed += 1
            if resumed.failed <= MOST_NAMED:
                log.error("chat.not_resumed", chat=chat, error=str(error))
        return False

    async def complete(self, *, outdated: Callable[[], Awaitable[bool]] = never) -> None:
        """At the start: build the index unless it is there and not `outdated`. Chats may change meanwhile."""
        self.was_complete = await self._patiently(self._chats.index.is_complete)
        if await self._patiently(outdated):
            await self._build()
        await self._until_complete()

    def remade(self) -> None:
        """The index may have been lost with its store."""
        self._remade.set()

    async def keep(self, wake: Callable[[str], None]) -> None:
        """Run for ever; build the index again when it was lost, and `resume` what it did not name meanwhile."""
        while True:
            await self._remade.wait()
            self._remade.clear()
            if await self._until_complete():
                await self.resume(wake)

    async def _until_complete(self) -> bool:
        """Return whether there was anything to build."""
        built = False
        while not await self._patiently(self._chats.index.is_complete):
            await self._build()
            built = True
        return built

    async def _build(self) -> None:
        """What it may not know of is a chat that was marked in a store that is gone by now: then it is not complete."""
        index = self._chats.index
        index.forget()
        created_at = await self._patiently(index.created_at)
        read = 0

        async def look_at(chat: str, unfinished: bool) -> None:
            nonlocal read
            # Also if a mark is known: it may be one that is gone, of a change that has failed since.
            if unfinished:
                await self._patiently(lambda: index.add(chat))
            read += 1
            if self._log_throttle.due("progress"):
                log.info("index.building", read=read)

        async def look_through() -> None:
            nonlocal read
            read = 0
            await self._chats.each(look_at)

        await self._patiently(look_through)
        await self._patiently(lambda: index.completed(created_at))
        log.info("index.built", read=read)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        clock = self._retrying.clock
        end, unknown = 0.0, 0

        def passing(error: Exception) -> bool:
            nonlocal end, unknown
            if not isinstance(error, TransportError):
                return False
            if error.fault is Fault.FATAL:
                end = end or clock.monotonic() + GRACE.total_seconds()
                return clock.monotonic() < end
            unknown += error.fault is not Fault.PASSING
            return error.fault is not Fault.FINAL and unknown < UNKNOWN_ATTEMPTS

        def failed(error: Exception, pause: timedelta) -> None:
            if self._log_throttle.due("away"):
                log.warning("chats.not_read", error=str(error))

        return await self._retrying(ask, passing=passing, backoff=AWAY, failed=failed)
