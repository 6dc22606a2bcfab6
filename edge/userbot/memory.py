"""The owner's past as memory: earlier exchanges with a contact that are like their question, from the owner's file."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import structlog

from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat_tokens import is_group
from events.errors import SettingsError
from events.exchanges import ExchangeFile, UnusableExchanges
from events.schema import Exchange

COUNT = 3
"""Exchanges that join a question, at most."""
VARIABLE = "USERBOT_MEMORY"

log = structlog.get_logger(__name__)


class Memory:
    """Looks up earlier exchanges. A fault of the file is logged and costs a question nothing but its memory."""

    def __init__(self, file: ExchangeFile | None = None) -> None:
        self._file = file

    def check_owner(self, owner_chat: str | None) -> None:
        """Raise SettingsError if this is the past of somebody else than the owner, whose own chat is `owner_chat`."""
        if self._file and owner_chat not in {str(owner) for owner in self._file.owners}:
            raise SettingsError(
                f"{VARIABLE}: it is the past of {', '.join(map(str, sorted(self._file.owners)))}, and the owner here is"
                f" {owner_chat or 'unknown: set USERBOT_OWNER'}"
            )

    def recall(self, chat: str, record: ChatRecord, question: str) -> tuple[Exchange, ...]:
        """Return the exchanges with the person of `chat` that are most like `question`, the most alike last.

        There are none in a group, and none ever again once the person has sent `/delete_history`.
        """
        if self._file is None or is_group(chat) or record.deleted_to:
            return ()
        try:
            return tuple(self._file.most_alike(int(chat), question, COUNT))
        except UnusableExchanges as error:
            log.error("memory.unreadable", chat=chat, error=str(error))
            return ()

    def forget(self, chat: str) -> None:
        """Remove the exchanges with the person of `chat` from the file."""
        if self._file is None or is_group(chat):
            return
        try:
            self._file.forget(int(chat))
        except UnusableExchanges as error:
            log.error("memory.not_erased", chat=chat, error=str(error), advice="make the file writable")


NO_MEMORY = Memory()


@contextmanager
def open_memory(path: Path | None) -> Iterator[Memory]:
    """Open the owner's file, if there is one. Raises SettingsError, one line."""
    if path is None:
        yield NO_MEMORY
        return
    try:
        file = ExchangeFile.open(path)
    except UnusableExchanges as error:
        raise SettingsError(f"{VARIABLE}: {error}") from None
    with closing(file):
        yield Memory(file)
