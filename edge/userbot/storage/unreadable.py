"""Chats whose record can't be read: each is logged once per process, and its user is notified once in all."""

import structlog

from edge.userbot.chat.record import UnreadableRecord
from events.records import Marks

log = structlog.get_logger(__name__)


class UnreadableChats:
    """Every method except `note` raises TransportError while the store is away."""

    def __init__(self, marks: Marks, account: str) -> None:
        self._marks = marks
        self._account = account
        self._noted: set[str] = set()

    def note(self, chat: str, error: UnreadableRecord) -> None:
        """Log the error, unless this process has done that."""
        if chat not in self._noted:
            self._noted.add(chat)
            log.error("chat.unreadable", chat=chat, error=str(error))

    async def was_notified(self, chat: str) -> bool:
        """Return whether the user of `chat` was notified."""
        return await self._marks.is_ours(self._notified_key(chat))

    async def mark_notified(self, chat: str) -> None:
        """Record that the user of `chat` was notified."""
        await self._marks.add(self._notified_key(chat))

    async def forget(self, chat: str) -> None:
        """Forget a chat that starts afresh: if it becomes unreadable again, log it and notify the user again."""
        self._noted.discard(chat)
        version = await self._marks.version(self._notified_key(chat))
        if version is not None:
            await self._marks.drop(self._notified_key(chat), version)

    async def forget_all(self, keep: str) -> None:
        """Forget all chats but `keep`."""
        prefix = self._notified_key("")
        for key in await self._marks.keys(prefix):
            if key != self._notified_key(keep):
                await self.forget(key.removeprefix(prefix))

    def _notified_key(self, chat: str) -> str:
        return f"told.{self._account}.{chat}"
