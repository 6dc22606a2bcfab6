"""Chats whose record can't be read: each is left out, and named in the log once a life of the process."""

import structlog

from edge.userbot.versions import UnreadableRecord

log = structlog.get_logger(__name__)


class Unreadable:
    def __init__(self) -> None:
        self._noted: set[str] = set()

    def note(self, chat: str, error: UnreadableRecord) -> None:
        if chat not in self._noted:
            self._noted.add(chat)
            log.error("chat.unreadable", chat=chat, error=str(error))

    def forget(self, chat: str) -> None:
        """It starts afresh."""
        self._noted.discard(chat)
