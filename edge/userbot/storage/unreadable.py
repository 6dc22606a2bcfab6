"""Chats whose record can't be read: each is left out, named in the log once a life, and its user is told once ever."""

import structlog

from edge.userbot.chat.record import UnreadableRecord
from events.records import Marks

log = structlog.get_logger(__name__)


class UnreadableChats:
    """Every method but `note` raises TransportError when the store is away."""

    def __init__(self, marks: Marks, account: str) -> None:
        self._marks = marks
        self._account = account
        self._noted: set[str] = set()

    def note(self, chat: str, error: UnreadableRecord) -> None:
        """Log it, unless that was done in this life."""
        if chat not in self._noted:
            self._noted.add(chat)
            log.error("chat.unreadable", chat=chat, error=str(error))

    async def was_told(self, chat: str) -> bool:
        """Return whether the user of `chat` was told."""
        return await self._marks.is_ours(self._told(chat))

    async def mark_told(self, chat: str) -> None:
        """From now on the user was told."""
        await self._marks.add(self._told(chat))

    async def forget(self, chat: str) -> None:
        """The chat starts afresh: should it become unreadable again, that is news."""
        self._noted.discard(chat)
        version = await self._marks.version(self._told(chat))
        if version is not None:
            await self._marks.drop(self._told(chat), version)

    def _told(self, chat: str) -> str:
        return f"told.{self._account}.{chat}"
