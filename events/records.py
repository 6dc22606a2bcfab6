"""Small records that change only by compare-and-set, and marks: keys that are set or not, each setting versioned."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from events.runtime.retrying import Retrying

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """A record's bytes and the version that a save must name."""

    value: bytes
    version: int


Take = Callable[[str, Stored], Awaitable[None]]
"""What is done with a key and its record."""


class Records(Protocol):
    async def load(self, key: str) -> Stored | None: ...

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        """Replace version `version` (None: create) and return the new one. Raises Conflict if it is not current."""
        ...

    async def made(self) -> datetime:
        """Return when the store was made: it knows nothing of what was before. Raises TransportError."""
        ...

    async def each(self, prefix: str, take: Take, *, retrying: Retrying) -> None:
        """Hand the records whose keys start with `prefix`, which ends at a dot, to `take`: several at once, unordered.

        One that is saved meanwhile comes as it was, or as it is, or both. Raises TransportError when the store is away
        for longer than a moment.
        """
        ...


class Marks(Protocol):
    """Every method raises TransportError."""

    async def add(self, key: str) -> int:
        """Set `key`, whether it is set or not, and return its version: it is newer than all before, of any key."""
        ...

    async def drop(self, key: str, version: int) -> None:
        """Remove `key`, unless it was added again since it had `version`. Nothing of it is left behind."""
        ...

    async def version(self, key: str) -> int | None:
        """Return the version of `key`, None if it is not set."""
        ...

    async def is_ours(self, key: str) -> bool:
        """Return whether `key` is set, and by `add`: others can have a NATS server write its answer there."""
        ...

    async def made(self) -> datetime:
        """Return when the store was made: a key that was set before is not any more."""
        ...

    async def keys(self, prefix: str) -> Sequence[str]:
        """Return all keys that start with `prefix`, which ends at a dot."""
        ...
