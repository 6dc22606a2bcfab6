"""The chat records of one account, changed only by compare-and-set."""

from collections.abc import Callable, Sequence

from edge.userbot.record import ChatRecord, from_json
from events.errors import Conflict
from events.records import Records

Transition = Callable[[ChatRecord], ChatRecord]


class Chats:
    """Every method raises TransportError when the store is away, UnreadableRecord when a record can't be read."""

    def __init__(self, records: Records, account: str) -> None:
        self._records = records
        self._account = account

    async def load(self, chat: str) -> ChatRecord:
        record, _ = await self._load(chat)
        return record

    async def change(self, chat: str, transition: Transition) -> ChatRecord:
        """Apply `transition`, again if somebody else was faster. It must be pure: it may run more than once."""
        while True:
            record, version = await self._load(chat)
            changed = transition(record)
            if changed is record:
                return record
            try:
                await self._records.save(self._key(chat), changed.to_json(), version)
            except Conflict:
                continue
            return changed

    async def all(self) -> Sequence[str]:
        """Every chat that has a record."""
        prefix = f"{self._account}."
        return [key.removeprefix(prefix) for key in await self._records.keys(prefix)]

    async def _load(self, chat: str) -> tuple[ChatRecord, int | None]:
        stored = await self._records.load(self._key(chat))
        return (from_json(stored.value), stored.version) if stored else (ChatRecord(), None)

    def _key(self, chat: str) -> str:
        return f"{self._account}.{chat}"
