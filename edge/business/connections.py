"""The connections of one bot, each kept in the bucket `chats` under its person."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from pydantic import ValidationError

from edge.business.connection import Connection
from edge.business.kept import SHRUNK, Kept, describe, leave, with_peer
from edge.userbot.chat.record import schema_of, with_schema
from edge.userbot.storage.compare_and_set import ATTEMPTS, compare_and_set
from events.errors import TransportError
from events.records import Records, Stored
from events.runtime.retrying import Retrying

SCHEMA = 1
KEY = "connection-"
"""Before a person in a key, so that none is taken for that of a chat."""
MAX_TOLD = 20
SETTLING = timedelta(seconds=5)
"""From `/disconnect` until everything is erased: to delete thinking lines that the records name."""

log = structlog.get_logger(__name__)


class Connections:
    """Every method that changes or loads raises TransportError while the store is away.

    `ask`: asks Telegram for a connection by its id; raises MessengerError, or Undeliverable if there is none.
    `connected`: called with how many persons more, or less, are answered now.
    """

    def __init__(
        self,
        records: Records,
        bot: str,
        *,
        ask: Callable[[str], Awaitable[Connection]],
        retrying: Retrying,
        connected: Callable[[int], None] = lambda change: None,
    ) -> None:
        self._connected = connected
        self._records = records
        self._bot = bot
        self._ask = ask
        self._retrying = retrying
        self._kept: dict[str, Kept] = {}
        self.noted = asyncio.Event()
        """Set, and replaced by another, when a connection may have changed."""
        self._persons: dict[str, str] = {}
        self._is_store_new = asyncio.Event()
        self.before_change = _nothing
        """Called before a change, however Telegram has told of it."""

    async def load(self) -> None:
        """Load the connections of all persons. One that can't be read is asked for when a message comes through it."""

        prefix = self._key("")

        async def take(key: str, stored: Stored) -> None:
            kept = _read(key, stored.value) if key.startswith(prefix) else None
            if kept:
                self._note(key.removeprefix(prefix), kept)

        await self._records.each(f"{self._bot}.", take, retrying=self._retrying)

    @property
    def persons(self) -> list[str]:
        """Return everybody who has connected the bot, also those who have disconnected it since."""
        return list(self._kept)

    @property
    def served(self) -> list[str]:
        """Return those of whom anything but the connection is stored, or may still come."""
        return [person for person, kept in self._kept.items() if not kept.is_closed]

    def of(self, person: str) -> Kept | None:
        """Return a person's newest connection."""
        return self._kept.get(person)

    async def person_of(self, connection_id: str) -> str:
        """Return whose connection it is. Raises MessengerError, or Undeliverable if Telegram does not know it."""
        if connection_id not in self._persons:
            await self.ask_again(connection_id)
        return self._persons[connection_id]

    async def ask_again(self, connection_id: str) -> None:
        """Keep what Telegram says of a connection. Raises MessengerError, or Undeliverable if it does not know it."""
        await self.change(await self._ask(connection_id))

    async def changed(self, person: str, kept: Kept, *, patience: timedelta) -> bool:
        """Wait until a person's connection is no longer as in `kept`. Return whether it changed in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience.total_seconds()):
                while kept.is_same(self.of(person)):
                    await self.noted.wait()
        return not kept.is_same(self.of(person))

    async def change(self, connection: Connection) -> None:
        """Keep a person's connection as Telegram describes it now, unless a newer one is kept."""
        await self.before_change(connection)
        now = self._retrying.clock.now()
        await self._change(connection.person, lambda kept: describe(kept, connection, now))
        self._persons[connection.id] = connection.person

    async def leave(self, person: str, *, since: datetime) -> bool:
        """Let the person's connection count no more: they told us so. What is stored about them is to be erased.

        Return False if they have made the connection after `since`, by Telegram's clock: then they were told so of
        another one, and nothing changes.
        """
        erase_at = self._retrying.clock.now() + SETTLING
        kept = await self._change(person, lambda kept: kept and leave(kept, since, erase_at))
        return kept is None or kept.left

    async def erased(self, person: str) -> None:
        """Keep that everything else about the person is erased, if that was due."""
        now = self._retrying.clock.now()
        await self._update(person, lambda kept: {**SHRUNK, "erased_at": now} if kept.erase_at else {})

    async def forget(self, person: str) -> None:
        """Forget a person who was erased. A connection that they have not removed stays, to be ignored."""
        key = self._key(person)
        stored = await self._records.load(key)
        kept = _read(key, stored.value) if stored else None
        if kept and not kept.is_erased:
            return
        if kept and kept.left and kept.is_enabled:
            await self._update(person, lambda kept: {"erased_at": None})
            return
        if stored:
            await self._records.remove(key, stored.version)
        self._kept.pop(person, None)
        self._persons = {id_: other for id_, other in self._persons.items() if other != person}

    def on_store_recreated(self) -> None:
        """Store all connections again before long: they may be lost."""
        self._is_store_new.set()

    async def run(self) -> None:
        """Run until cancelled: store again what the store has lost."""
        while True:
            await self._is_store_new.wait()
            self._is_store_new.clear()
            await self._retrying(self._restore, passing=lambda error: isinstance(error, TransportError))
            log.info("connections.restored", count=len(self._kept))

    async def _restore(self) -> None:
        for person, kept in list(self._kept.items()):
            await self._change(person, partial(_stored_or, kept))

    async def tell(self, person: str, reason: str) -> None:
        """Keep that the person knows of a reason for silence. The next change of the connection forgets it."""
        await self._update(person, lambda kept: {"told": (*kept.told, reason)[-MAX_TOLD:]})

    async def tell_again(self, person: str) -> None:
        """Forget what the person knows: it may not have reached them, if they had not pressed Start."""
        await self._update(person, lambda kept: {"told": ()})

    async def learn(self, person: str, user: str, access_hash: int) -> None:
        """Keep how to address somebody in the person's chats."""
        kept = self.of(person)
        if kept and kept.peers.get(user) != access_hash:
            await self._update(person, lambda kept: {"peers": with_peer(kept.peers, user, access_hash)})

    async def _update(self, person: str, update: Callable[[Kept], dict[str, object]]) -> None:
        """Change what is kept about a person, if anything is."""

        def change(kept: Kept | None) -> Kept | None:
            return kept and kept.model_copy(update=update(kept))

        await self._change(person, change)

    async def _change(self, person: str, transition: Callable[[Kept | None], Kept | None]) -> Kept | None:
        return await compare_and_set(lambda: self._change_once(person, transition), self._retrying, attempts=ATTEMPTS)

    async def _change_once(self, person: str, transition: Callable[[Kept | None], Kept | None]) -> Kept | None:
        key = self._key(person)
        stored = await self._records.load(key)
        kept = _read(key, stored.value) if stored else None
        changed = transition(kept)
        if changed and changed != kept:
            value = with_schema(changed.model_dump_json(), SCHEMA)
            await self._records.save(key, value, stored.version if stored else None)
        if changed:
            self._note(person, changed)
        return changed

    def _key(self, person: str) -> str:
        return f"{self._bot}.{KEY}{person}"

    def _note(self, person: str, kept: Kept) -> None:
        before = self._kept.get(person)
        if change := kept.answers - (before is not None and before.answers):
            self._connected(change)
        self._kept[person] = kept
        self._persons |= dict.fromkeys((kept.connection_id, *kept.earlier), person)
        self.noted.set()
        self.noted = asyncio.Event()


async def _nothing(connection: Connection) -> None:
    pass


def _stored_or(known: Kept, stored: Kept | None) -> Kept:
    return stored or known


def _read(key: str, value: bytes) -> Kept | None:
    """Return a stored connection, None if it can't be read. Raises UnreadableRecord if a newer version wrote it."""
    schema_of(value, known=SCHEMA, what=f"the connection {key}")
    try:
        return Kept.model_validate_json(value)
    except ValidationError:
        log.error("connection.unreadable", key=key)
        return None
