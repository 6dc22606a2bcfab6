"""How far the account's changes have been taken in, kept in the bucket `telegram`."""

import structlog
from pydantic import ValidationError

from edge.userbot.changes import State
from events.errors import Conflict
from events.records import Records
from events.runtime.retrying import Retrying

log = structlog.get_logger(__name__)


class Watermark:
    """Every method raises TransportError when the store is away."""

    def __init__(self, records: Records, account: str, *, retrying: Retrying) -> None:
        self._records = records
        self._retrying = retrying
        self._account = account
        self._version: int | None = None

    async def load(self) -> State | None:
        """None before the first `save`, or when what is stored can't be read."""
        stored = await self._records.load(self._account)
        if stored is None:
            return None
        self._version = stored.version
        try:
            return State.model_validate_json(stored.value)
        except ValidationError:
            log.error("watermark.unreadable", account=self._account)
            return None

    async def save(self, state: State) -> None:
        """The account has one userbot, so whoever else saved was an earlier life of this one."""
        value = state.model_dump_json().encode()
        try:
            self._version = await self._records.save(self._account, value, self._version)
        except Conflict:
            await self.load()
            self._version = await self._records.save(self._account, value, self._version)
