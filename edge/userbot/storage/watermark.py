"""The watermark: how far the account's changes have been taken in, stored in the bucket `telegram`."""

from collections.abc import Iterable
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.userbot.chat.record import NO_SCHEMA, schema_of, with_schema
from edge.userbot.intake.account_updates import StateLost, UpdatesState
from edge.userbot.storage.compare_and_set import compare_and_set
from events.errors import Conflict
from events.records import Records
from events.runtime.retrying import Retrying

SCHEMA = 1
"""Versions without an index of unfinished chats wrote no schema number."""
ATTEMPTS = 5
"""To save while others keep changing the watermark. Few, as live messages wait meanwhile."""
MAX_TAKEN_EARLY = 5000
"""Keeps the record far below the largest message that NATS accepts. The newest are kept."""

Key = tuple[str, int]
"""A chat and the id of a message in it."""

log = structlog.get_logger(__name__)

_Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]


def group_key(account: str, group: str) -> str:
    """Return where the watermark of a supergroup is stored, which counts its changes itself."""
    return f"{account}.channel{group}"


class _Stored(BaseModel):
    """A state that Telegram accepts; one with other values was not written by us."""

    model_config = ConfigDict(strict=True)

    pts: Annotated[int, Field(ge=0, lt=2**31)]
    qts: _Int32
    date: _Int32
    seq: _Int32
    ahead: tuple[Key, ...] = ()


class Watermark:
    """Every method raises TransportError while the store is away. `key`: where it is stored; an account's is its id.

    `taken_early`, as of the last `load`: messages after the state whose effects are already stored, the oldest first.
    """

    def __init__(self, records: Records, key: str, *, retrying: Retrying) -> None:
        self._records = records
        self._retrying = retrying
        self._key = key
        self._version: int | None = None
        self.taken_early: tuple[Key, ...] = ()

    async def load(self) -> UpdatesState | None:
        """Return the state that was saved last, None before the first `save`.

        Raises StateLost if the stored value can't be read: the next `save` overwrites it. Raises UnreadableRecord if
        a newer version has written it.
        """
        value = await self._load_value()
        if value is None:
            return None
        try:
            stored = _Stored.model_validate_json(value)
        except ValidationError:
            log.error("watermark.unreadable", account=self._key)
            raise StateLost(f"{self._description} can't be read") from None
        self.taken_early = stored.ahead
        return UpdatesState(**stored.model_dump(exclude={"ahead"}))

    async def is_of_earlier_version(self) -> bool:
        """Return whether a version without an index of unfinished chats has saved it. Raises UnreadableRecord."""
        value = await self._load_value()
        return value is not None and schema_of(value, known=SCHEMA, what=self._description) == NO_SCHEMA

    async def save(self, state: UpdatesState, taken_early: Iterable[Key] = ()) -> None:
        """Save `state`, over that of another process: an account has one userbot, so it was an earlier one."""
        stored = _Stored(**state.model_dump(), ahead=tuple(taken_early)[-MAX_TAKEN_EARLY:])
        value = with_schema(stored.model_dump_json(), SCHEMA)
        await compare_and_set(lambda: self._save(value), self._retrying, attempts=ATTEMPTS)

    async def _save(self, value: bytes) -> None:
        try:
            self._version = await self._records.save(self._key, value, self._version)
        except Conflict:
            await self._load_value()
            raise

    async def _load_value(self) -> bytes | None:
        stored = await self._records.load(self._key)
        if stored:
            # Check before the version is noted: the next save would overwrite a newer schema.
            schema_of(stored.value, known=SCHEMA, what=self._description)
        self._version = stored.version if stored else None
        return stored.value if stored else None

    @property
    def _description(self) -> str:
        return f"the saved state of account {self._key}"
