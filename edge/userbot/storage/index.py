"""Which chats of an account have something to do: never too few of them, at times too many."""

import re
from collections.abc import Sequence
from datetime import datetime

import structlog

from events.errors import TransportError
from events.records import Marks
from events.runtime.log_throttle import LogThrottle

_CHAT = re.compile(r"-?[1-9][0-9]{0,18}")


def is_chat_token(text: str) -> bool:
    """Return whether `text` is the token of a chat."""
    return bool(_CHAT.fullmatch(text))


log = structlog.get_logger(__name__)


class ChatIndex:
    """Every method but `drop` raises TransportError when the store is away."""

    def __init__(self, marks: Marks, account: str) -> None:
        self._marks = marks
        self._account = account
        self._known: dict[str, int] = {}
        self._log_throttle = LogThrottle()

    async def is_complete(self) -> bool:
        """Return whether every chat that has something to do is marked."""
        return await self._marks.is_ours(self._built)

    async def created_at(self) -> datetime:
        """Return when the store was created, for `completed`."""
        return await self._marks.created_at()

    async def completed(self, created_at: datetime) -> None:
        """Note that all chats have been checked since the store was created; without effect if it was created anew."""
        if await self._marks.created_at() == created_at:
            await self._marks.add(self._built)

    def knows(self, chat: str) -> bool:
        """Return whether this process knows of a mark of `chat`."""
        return chat in self._known

    async def add(self, chat: str) -> None:
        """Mark `chat`, newly also if it is marked already."""
        self.learn(chat, await self._marks.add(self._unfinished(chat)))

    async def version(self, chat: str) -> int | None:
        """Return the version of the mark of `chat` in the store."""
        return await self._marks.version(self._unfinished(chat))

    def learn(self, chat: str, version: int) -> None:
        """Know a mark that was found in the store."""
        self._known[chat] = max(version, self._known.get(chat, 0))

    def forget(self) -> None:
        """Know no marks any more: those that were may be gone from the store."""
        self._known.clear()

    def take(self, chat: str) -> int | None:
        """Forget the known mark of `chat` and return its version."""
        return self._known.pop(chat, None)

    def put_back(self, chat: str, version: int) -> None:
        """Know what `take` gave, unless a newer one is known by now."""
        self._known.setdefault(chat, version)

    async def drop(self, chat: str, version: int) -> None:
        """Remove that mark; if it stays because the store is away, the next start looks at the chat in vain."""
        try:
            await self._marks.drop(self._unfinished(chat), version)
        except TransportError as error:
            if self._log_throttle.due("drop"):
                log.warning("chat.still_marked", chat=chat, error=str(error))

    async def chats(self) -> Sequence[str]:
        """Return the marked chats. What names no chat is left out: whoever has put it there, nothing is to do."""
        prefix = self._unfinished("")
        marked = [key.removeprefix(prefix) for key in await self._marks.keys(prefix)]
        chats = [chat for chat in marked if is_chat_token(chat)]
        if len(chats) < len(marked):
            log.warning("index.odd_keys", count=len(marked) - len(chats), error="they name no chat of Telegram's")
        return chats

    @property
    def _built(self) -> str:
        return f"built.{self._account}"

    def _unfinished(self, chat: str) -> str:
        return f"unfinished.{self._account}.{chat}"
