"""The unfinished chats' records as this process knows them, to go on from if the store loses them meanwhile."""

import structlog

from edge.userbot.chat.record import ChatRecord
from events.records import Stored

log = structlog.get_logger(__name__)


class KeptRecords:
    """Versions grow as long as a store loses nothing: a damaged file, or an old copy put back, sets them back."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, ChatRecord]] = {}
        self._logged: dict[str, int] = {}

    def keep(self, chat: str, record: ChatRecord, version: int) -> None:
        """Keep an unfinished record that the store has under `version`."""
        self._kept[chat] = (version, record)

    def drop(self, chat: str) -> None:
        """Forget a chat that is finished or erased."""
        self._kept.pop(chat, None)
        self._logged.pop(chat, None)

    def chats(self) -> list[str]:
        """Return the chats whose records are kept."""
        return list(self._kept)

    def version(self, chat: str) -> int:
        """Return the version of the kept record, 0 if none is kept."""
        return self._kept[chat][0] if chat in self._kept else 0

    def lost(self, chat: str, stored: Stored | None, known: int) -> ChatRecord | None:
        """Return the kept record if what is `stored` is older than `known`, its version before that was asked for.

        Forget it if what is stored is newer: another task or process has changed it.
        """
        version, record = self._kept.get(chat, (0, None))
        if stored is not None and stored.version > version:
            self.drop(chat)
        if record is None or not known or (stored is not None and stored.version >= known):
            return None
        if self._logged.get(chat) != version:
            self._logged[chat] = version
            log.warning("chat.restored", chat=chat, version=version, stored=stored.version if stored else None)
        return record
