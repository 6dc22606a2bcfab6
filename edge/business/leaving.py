"""Erase what is stored about persons who have left: after `/disconnect`, or after the end of their connection.

Every step can be repeated: a process that dies on the way goes on at the next start.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from edge.business.accounts import Accounts
from edge.business.connection import Connection
from edge.business.connections import Connections
from edge.business.kept import Kept, comes_back, follows
from edge.userbot.chat.record import UnreadableRecord
from edge.userbot.error_lines import describe_error
from edge.userbot.owner.changes import forget_all_but_answers
from edge.userbot.storage.chats import Chats
from events.errors import TransportError
from events.runtime.retrying import Retrying
from events.transport import Log

LATE = timedelta(days=1)
"""How long something about a person may still come after they were erased, e.g. a late reply."""
LOOK_AGAIN = timedelta(seconds=2)
"""Until the next try to do what could not be done yet."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PersonsDeparture:
    """Implements `Departure` for one person. `clock_offset`: how far this machine's clock is ahead of Telegram's."""

    connections: Connections
    clock_offset: Callable[[], timedelta]
    person: str

    @property
    def has_left(self) -> bool:
        kept = self.connections.of(self.person)
        return kept is None or kept.left or kept.is_erased

    async def leave(self, since: datetime) -> bool:
        return await self.connections.leave(self.person, since=since - self.clock_offset())


class Leaving:
    """`run` erases everybody who has left; who comes back before is erased before their new connection is kept."""

    def __init__(self, connections: Connections, accounts: Accounts, log: Log, *, retrying: Retrying) -> None:
        self._connections = connections
        self._accounts = accounts
        self._log = log
        self._clock = retrying.clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._almost_erased: dict[str, datetime] = {}
        """Persons whose own chat is all that is still stored, by when they were to be erased."""
        connections.before_change = self._erase_before

    @asynccontextmanager
    async def serving(self, person: str) -> AsyncIterator[Kept | None]:
        """Yield the connection of a person, who is not erased meanwhile: things about them may be stored.

        Yield None if nothing may be, without waiting for what erases them: others would have to wait, too.
        """
        if self._served(person) is None:
            yield None
            return
        async with self._storing(person):
            yield self._served(person)

    def _served(self, person: str) -> Kept | None:
        kept = self._connections.of(person)
        return kept if kept and kept.is_served(self._clock.now()) else None

    def _storing(self, person: str) -> asyncio.Lock:
        """Return a lock that keeps the person from being erased while something is stored about them."""
        return self._locks.setdefault(person, asyncio.Lock())

    async def _erase_before(self, connection: Connection) -> None:
        """Erase a person who comes back with a new connection: they begin afresh. Raises TransportError."""
        kept = self._connections.of(connection.person)
        if kept and kept.left and kept.erase_at and follows(kept, connection) and comes_back(kept, connection):
            async with self._storing(connection.person):
                await self._erase(connection.person, kept.erase_at)

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            noted = self._connections.noted
            for person in self._connections.persons:
                await self._do_what_is_due(person)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause().total_seconds()):
                    await noted.wait()

    def _pause(self) -> timedelta:
        """Return in what time to look again, if nothing changes before."""
        kept = [self._connections.of(person) for person in self._connections.persons]
        dues = [due for one in kept if one and (due := _due(one))]
        return max(min(dues) - self._clock.now(), LOOK_AGAIN) if dues else LATE

    async def _do_what_is_due(self, person: str) -> None:
        try:
            async with self._storing(person):
                kept = self._connections.of(person)
                if kept is None or (due := _due(kept)) is None or self._clock.now() < due:
                    return
                if kept.erase_at:
                    await self._erase(person, kept.erase_at)
                else:
                    await self._close(person)
        except (TransportError, UnreadableRecord) as error:
            log.error("account.not_erased", account=person, error=describe_error(error))

    async def _erase(self, person: str, due: datetime) -> None:
        """Erase everything but the connection. The last answer in the person's chat with the bot is sent before."""
        edge = await self._accounts.edge(person)
        if self._almost_erased.get(person) != due:
            await edge.drivers.stop_others(person)
            await self._log.erase_account(person)
            await edge.ports.chats.erase(keep=person)
            self._almost_erased[person] = due
        await _erase_own_chat(edge.ports.chats, person)
        if not await edge.ports.chats.remove(person):
            edge.drivers.wake(person)
            return
        await self._connections.erased(person)
        self._almost_erased.pop(person, None)
        log.info("account.erased", account=person)

    async def _close(self, person: str) -> None:
        """Erase what has come late, and stop waiting for more."""
        edge = await self._accounts.edge(person)
        await self._log.erase_account(person)
        await edge.ports.chats.erase()
        await self._accounts.close(person)
        await self._connections.forget(person)
        log.info("account.closed", account=person)


async def _erase_own_chat(chats: Chats, person: str) -> None:
    try:
        await chats.change(person, forget_all_but_answers)
    except UnreadableRecord:
        await chats.start_afresh(person, forget_all_but_answers)


def _due(kept: Kept) -> datetime | None:
    """Return when there is something to do about a person who has left."""
    return kept.erase_at or (kept.erased_at + LATE if kept.erased_at else None)
