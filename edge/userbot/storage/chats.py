"""The chat records of one account, changed only by compare-and-set, and the index of those that have work."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from edge.userbot.chat.record import ChatRecord, UnreadableRecord, from_json, unreadable
from edge.userbot.chat.steps import next_step, wake_at
from edge.userbot.chat.transitions import Decision
from edge.userbot.chat_tokens import is_chat_token
from edge.userbot.storage.compare_and_set import ATTEMPTS, compare_and_set
from edge.userbot.storage.index import ChatIndex
from edge.userbot.storage.kept import KeptRecords
from edge.userbot.storage.policy import PolicyStore
from edge.userbot.storage.unreadable import UnreadableChats
from events import subjects
from events.jetstream.connection import JetStream
from events.jetstream.marks import JetStreamMarks
from events.jetstream.records import JetStreamRecords
from events.records import Marks, Records, Stored
from events.runtime.retrying import Backoff, Retrying

Changed = TypeVar("Changed", ChatRecord, Decision)
Transition = Callable[[ChatRecord], Changed]
"""Returns the record to store, by itself or in a decision."""

STORE_PAUSES = Backoff(first=timedelta(seconds=0.5), most=timedelta(seconds=5))
"""Pauses between a caller's retries while the store is away."""


class Chats:
    """Every method raises TransportError while the store is away, UnreadableRecord if a record can't be read."""

    def __init__(self, records: Records, marks: Marks, account: str, *, retrying: Retrying) -> None:
        self._records = records
        self.index = ChatIndex(marks, account)
        self.unreadable = UnreadableChats(marks, account)
        self.policy = PolicyStore(records, account, retrying=retrying)
        self._account = account
        self._retrying = retrying
        self._kept = KeptRecords()

    async def load(self, chat: str) -> ChatRecord:
        record, _ = await self._load(chat)
        return record

    async def change(self, chat: str, transition: Transition[Changed]) -> Changed:
        """Apply `transition`, which must be pure, and return its result. Repeat it if another process was faster.

        Also raises TransportError if other processes are faster every time.
        """
        return await compare_and_set(lambda: self._change(chat, transition), self._retrying, attempts=ATTEMPTS)

    async def start_afresh(self, chat: str, transition: Transition[Changed]) -> Changed:
        """Apply `transition` as `change` does, but treat a record that can't be read as empty, and overwrite it.

        Also forget that the user was notified.
        """
        changed = await compare_and_set(lambda: self._start_afresh(chat, transition), self._retrying, attempts=ATTEMPTS)
        await self.unreadable.forget(chat)
        return changed

    async def created_at(self) -> datetime:
        """Return when the store was created, by our clock. Whether earlier questions were answered is not known."""
        return await self._records.created_at(self._retrying.clock)

    async def restored_at(self) -> datetime:
        """Return when the index was created, by our clock: a restore creates it anew (deploy/restore.sh).

        Earlier questions may have outcomes in Telegram that are not in their records.
        """
        return await self.index.created_at(self._retrying.clock)

    async def restore_lost(self) -> None:
        """Store unfinished records again that the store has lost while this process was running."""
        for chat in self._kept.chats():
            await compare_and_set(partial(self._restore_lost, chat), self._retrying, attempts=ATTEMPTS)

    async def recheck(self, chat: str) -> bool:
        """Return whether a marked chat is unfinished. If not, drop its mark."""
        return await compare_and_set(lambda: self._recheck(chat), self._retrying, attempts=ATTEMPTS)

    async def each(self, take: Callable[[str, bool], Awaitable[None]]) -> None:
        """Call `take` with every chat that has a record, and with whether it is unfinished or can't be read.

        Several calls run at once. A chat that changes meanwhile comes as it was, as it is, or both.
        """
        prefix = f"{self._account}."

        async def read(key: str, stored: Stored) -> None:
            chat = key.removeprefix(prefix)
            if is_chat_token(chat):
                await take(chat, self._may_be_unfinished(chat, stored))

        await self._records.each(prefix, read, retrying=self._retrying)

    async def each_record(self, take: Callable[[str, ChatRecord], Awaitable[None]]) -> None:
        """Call `take` with every chat and its record, as `each` does, but leave out records that can't be read."""

        async def read(key: str, stored: Stored) -> None:
            chat = key.removeprefix(f"{self._account}.")
            try:
                record = self._read(chat, stored.value) if is_chat_token(chat) else None
            except UnreadableRecord:
                return
            if record:
                await take(chat, record)

        await self._records.each(f"{self._account}.", read, retrying=self._retrying)

    async def erase(self, *, keep: str = "") -> int:
        """Remove all that is stored about the account but chat `keep`; return how many records that were.

        Nothing may be stored meanwhile, else repeat it.
        """
        erased = 0

        async def remove(key: str, stored: Stored) -> None:
            nonlocal erased
            if key != self._key(keep):
                self._kept.drop(key.removeprefix(f"{self._account}."))
                await self._records.remove(key, stored.version)
                erased += 1

        await self._records.each(f"{self._account}.", remove, retrying=self._retrying)
        await self.unreadable.forget_all(keep)
        await self.index.erase(keep)
        return erased

    async def remove(self, chat: str) -> bool:
        """Remove a chat's record and mark if it has nothing to do. Return whether they are gone."""
        stored = await self._records.load(self._key(chat))
        if stored and self._may_be_unfinished(chat, stored):
            return False
        if stored:
            await self._records.remove(self._key(chat), stored.version)
        await self.erase()
        return await self._records.load(self._key(chat)) is None

    async def _change(self, chat: str, transition: Transition[Changed]) -> Changed:
        record, version = await self._load(chat)
        changed = transition(record)
        new = changed.record if isinstance(changed, Decision) else changed
        if new is not record:
            await self._save(chat, new, version, was_unfinished=self._unfinished(record))
        return changed

    async def _start_afresh(self, chat: str, transition: Transition[Changed]) -> Changed:
        stored = await self._records.load(self._key(chat))
        try:
            record = self._read(chat, stored.value) if stored else ChatRecord()
        except UnreadableRecord:
            record = ChatRecord()
        changed = transition(record)
        new = changed.record if isinstance(changed, Decision) else changed
        await self._save(chat, new, stored.version if stored else None, was_unfinished=False)
        return changed

    async def _restore_lost(self, chat: str) -> None:
        known, stored = self._kept.version(chat), await self._records.load(self._key(chat))
        if record := self._kept.lost(chat, stored, known):
            await self._save(chat, record, stored.version if stored else None, was_unfinished=False)

    async def _recheck(self, chat: str) -> bool:
        mark = await self.index.version(chat)
        stored = await self._records.load(self._key(chat))
        record = self._read(chat, stored.value) if stored else ChatRecord()
        unfinished = self._unfinished(record)
        if mark is None:
            return unfinished
        if unfinished:
            self.index.remember(chat, mark)
            assert stored
            self._kept.keep(chat, record, stored.version)
            return True
        # Another process may have added this mark and be about to save. That fails now, and it marks the chat again.
        value, version = (stored.value, stored.version) if stored else (record.to_json(), None)
        await self._records.save(self._key(chat), value, version)
        await self.index.drop(chat, mark)
        return False

    async def _save(self, chat: str, record: ChatRecord, version: int | None, *, was_unfinished: bool) -> None:
        """Save `record` and keep the index so that a crash at any point leaves no unfinished chat unmarked."""
        if self._unfinished(record):
            if not was_unfinished or not self.index.is_known(chat):
                await self.index.add(chat)
            self._kept.keep(chat, record, await self._records.save(self._key(chat), record.to_json(), version))
            if not self.index.is_known(chat):
                await self.index.add(chat)  # the index was lost and built again meanwhile
            return
        mark = self.index.pop(chat)
        try:
            await self._records.save(self._key(chat), record.to_json(), version)
        except BaseException:
            if mark is not None:
                self.index.restore(chat, mark)
            raise
        self._kept.drop(chat)
        if mark is not None:
            await self.index.drop(chat, mark)

    def _may_be_unfinished(self, chat: str, stored: Stored) -> bool:
        try:
            return self._unfinished(self._read(chat, stored.value))
        except UnreadableRecord:
            return True

    def _unfinished(self, record: ChatRecord) -> bool:
        return next_step(record, self._retrying.clock.now()) is not None or wake_at(record) is not None

    async def _load(self, chat: str) -> tuple[ChatRecord, int | None]:
        known, stored = self._kept.version(chat), await self._records.load(self._key(chat))
        if lost := self._kept.lost(chat, stored, known):
            return lost, stored.version if stored else None
        if stored is None:
            return ChatRecord(), None
        try:
            return self._read(chat, stored.value), stored.version
        except UnreadableRecord as error:
            error.version = stored.version
            raise

    def _read(self, chat: str, value: bytes) -> ChatRecord:
        """Read a record. One that was copied from another chat is unreadable: its request would be that chat's."""
        record = from_json(value)
        if record.current and not record.current.request_id.startswith(f"{self._key(chat)}."):
            raise unreadable("it is about another chat")
        return record

    def _key(self, chat: str) -> str:
        return f"{self._account}.{chat}"


async def open_chats(js: JetStream, account: str, *, retrying: Retrying) -> Chats:
    """Open the chat records of an account, whose buckets must exist. Raises TransportError."""
    records = await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=retrying)
    marks = await JetStreamMarks.open(js, subjects.MARKS_BUCKET, retrying=retrying)
    return Chats(records, marks, account, retrying=retrying)
