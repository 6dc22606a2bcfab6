"""The index of unfinished chats of an account: it may name too many chats, but never too few."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from edge.userbot.chat_tokens import is_chat_token
from events.errors import TransportError
from events.records import Marks
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.subjects import INDEX_MARK

log = structlog.get_logger(__name__)


class ChatIndex:
    """Every method except `drop` raises TransportError while the store is away."""

    def __init__(self, marks: Marks, account: str) -> None:
        self._marks = marks
        self._account = account
        self._versions: dict[str, int] = {}
        self._log_throttle = LogThrottle()

    async def is_complete(self) -> bool:
        """Return whether every unfinished chat is marked."""
        return await self._marks.is_ours(self._built)

    async def created_at(self, clock: Clock | None = None) -> datetime:
        """Return when the store was created, by `clock`; without one, for `mark_complete`."""
        return await self._marks.created_at(clock)

    async def mark_complete(self, created_at: datetime) -> None:
        """Record that all chats were checked since `created_at`. Do nothing if the store was recreated meanwhile."""
        if await self._marks.created_at() == created_at:
            await self._marks.add(self._built)

    def is_known(self, chat: str) -> bool:
        """Return whether this process knows the mark of `chat`."""
        return chat in self._versions

    async def add(self, chat: str) -> None:
        """Mark `chat`, also if it is marked already: the mark gets a new version."""
        self.remember(chat, await self._marks.add(self._unfinished(chat)))

    async def version(self, chat: str) -> int | None:
        """Return the version of the mark of `chat` in the store."""
        return await self._marks.version(self._unfinished(chat))

    def remember(self, chat: str, version: int) -> None:
        """Remember a mark that was found in the store."""
        self._versions[chat] = max(version, self._versions.get(chat, 0))

    def forget_all(self) -> None:
        """Forget all known marks: they may be gone from the store."""
        self._versions.clear()

    def pop(self, chat: str) -> int | None:
        """Forget the known mark of `chat` and return its version, None if none is known."""
        return self._versions.pop(chat, None)

    def restore(self, chat: str, version: int) -> None:
        """Remember a version returned by `pop` again, unless a newer one is known by now."""
        self._versions.setdefault(chat, version)

    async def drop(self, chat: str, version: int) -> None:
        """Remove a mark. If the store is away it stays, and the next start checks the chat needlessly."""
        try:
            await self._marks.drop(self._unfinished(chat), version)
        except TransportError as error:
            if self._log_throttle.due("drop"):
                log.warning("chat.still_marked", chat=chat, error=str(error))

    async def chats(self) -> Sequence[str]:
        """Return the marked chats, without keys that are not the token of a chat."""
        prefix = self._unfinished("")
        marked = [key.removeprefix(prefix) for key in await self._marks.keys(prefix)]
        chats = [chat for chat in marked if is_chat_token(chat)]
        if len(chats) < len(marked):
            log.warning("index.odd_keys", count=len(marked) - len(chats), error="they name no chat of Telegram's")
        return chats

    async def erase(self, keep: str) -> None:
        """Remove all marks but that of chat `keep`; without one, also what says that the index is complete."""
        prefix = self._unfinished("")
        kept = self._unfinished(keep)
        known = self._versions.get(keep)
        keys = [key for key in await self._marks.keys(prefix) if key != kept]
        for key in keys if keep else [*keys, self._built]:
            version = await self._marks.version(key)
            if version is not None:
                await self._marks.drop(key, version)
        self._versions = {} if known is None else {keep: known}

    @property
    def _built(self) -> str:
        return f"{INDEX_MARK}{self._account}"

    def _unfinished(self, chat: str) -> str:
        return f"unfinished.{self._account}.{chat}"
