"""The chat records of one account, changed only by compare-and-set."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from edge.userbot.contention import until_won
from edge.userbot.record import ChatRecord, from_json
from events.records import Records
from events.runtime.retrying import Backoff, Retrying

Transition = Callable[[ChatRecord], ChatRecord]

ATTEMPTS = 20
"""At a record that others change all the time; over some 10 s."""
AWAY = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=5))
"""Pauses of a caller that tries again while the store is away."""


class Chats:
    """Every method raises TransportError when the store is away, UnreadableRecord when a record can't be read."""

    def __init__(self, records: Records, account: str, *, retrying: Retrying) -> None:
        self._records = records
        self._account = account
        self._retrying = retrying

    async def load(self, chat: str) -> ChatRecord:
        record, _ = await self._load(chat)
        return record

    async def change(self, chat: str, transition: Transition) -> ChatRecord:
        """Apply `transition`, again if another process was faster. It must be pure: it may run more than once.

        Raises TransportError also when others are faster all the time.
        """
        return await until_won(lambda: self._change(chat, transition), self._retrying, attempts=ATTEMPTS)

    async def _change(self, chat: str, transition: Transition) -> ChatRecord:
        record, version = await self._load(chat)
        changed = transition(record)
        if changed is not record:
            await self._records.save(self._key(chat), changed.to_json(), version)
        return changed

    async def made(self) -> datetime:
        """Return when the store was made: what was asked before is in no record, whatever became of it."""
        return await self._records.made()

    async def all(self) -> Sequence[str]:
        """Every chat that has a record."""
        prefix = f"{self._account}."
        return [key.removeprefix(prefix) for key in await self._records.keys(prefix)]

    async def _load(self, chat: str) -> tuple[ChatRecord, int | None]:
        stored = await self._records.load(self._key(chat))
        return (from_json(stored.value), stored.version) if stored else (ChatRecord(), None)

    def _key(self, chat: str) -> str:
        return f"{self._account}.{chat}"
