"""How far the account's changes have been taken in, kept in the bucket `telegram`."""

from collections.abc import Iterable
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.userbot.chat.record import EARLIER, schema_of, with_schema
from edge.userbot.intake.account_updates import StateLost, UpdatesState
from edge.userbot.storage.chats import compare_and_set
from events.errors import Conflict
from events.records import Records
from events.runtime.retrying import Retrying

SCHEMA = 1
"""Of what is stored; versions that kept no index of unfinished chats wrote no number."""
ATTEMPTS = 5
"""At a watermark that others change all the time: live messages wait meanwhile."""
MOST_AHEAD = 5000
"""Of the newest messages, so that the record stays far below what NATS takes."""

Key = tuple[str, int]
"""A chat and the id of a message in it."""

log = structlog.get_logger(__name__)

_Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class _Stored(BaseModel):
    """A state as Telegram takes it back: anything else was not written by us."""

    model_config = ConfigDict(strict=True)

    pts: Annotated[int, Field(ge=0, lt=2**31)]
    qts: _Int32
    date: _Int32
    seq: _Int32
    ahead: tuple[Key, ...] = ()


class Watermark:
    """Every method raises TransportError when the store is away.

    `ahead`, as of the last `load`: messages after the state whose effect is stored already, the oldest first.
    """

    def __init__(self, records: Records, account: str, *, retrying: Retrying) -> None:
        self._records = records
        self._retrying = retrying
        self._account = account
        self._version: int | None = None
        self.ahead: tuple[Key, ...] = ()

    async def load(self) -> UpdatesState | None:
        """Return the state that was saved last, None before the first `save`.

        Raises StateLost when what is stored can't be read: the next `save` overwrites it. Raises UnreadableRecord when
        a newer version has written it.
        """
        value = await self._look()
        if value is None:
            return None
        try:
            stored = _Stored.model_validate_json(value)
        except ValidationError:
            log.error("watermark.unreadable", account=self._account)
            raise StateLost(f"{self._what} can't be read") from None
        self.ahead = stored.ahead
        return UpdatesState(**stored.model_dump(exclude={"ahead"}))

    async def is_of_earlier_version(self) -> bool:
        """Return whether a version that kept no index of unfinished chats has saved it. Raises UnreadableRecord."""
        value = await self._look()
        return value is not None and schema_of(value, known=SCHEMA, what=self._what) == EARLIER

    async def save(self, state: UpdatesState, ahead: Iterable[Key] = ()) -> None:
        """Overwrite what is stored: an account has one userbot, so another writer was an earlier process of it."""
        stored = _Stored(**state.model_dump(), ahead=tuple(ahead)[-MOST_AHEAD:])
        value = with_schema(stored.model_dump_json(), SCHEMA)
        await compare_and_set(lambda: self._save(value), self._retrying, attempts=ATTEMPTS)

    async def _save(self, value: bytes) -> None:
        try:
            self._version = await self._records.save(self._account, value, self._version)
        except Conflict:
            await self._look()
            raise

    async def _look(self) -> bytes | None:
        stored = await self._records.load(self._account)
        if stored:
            # First: a save that names the version overwrites it.
            schema_of(stored.value, known=SCHEMA, what=self._what)
        self._version = stored.version if stored else None
        return stored.value if stored else None

    @property
    def _what(self) -> str:
        return f"the saved state of account {self._account}"
