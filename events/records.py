"""Small records that change only by compare-and-set, and marks: keys that are set or not, each setting versioned."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from events.runtime.clock import Clock
from events.runtime.retrying import Retrying

LONG_AGO = datetime.min.replace(tzinfo=UTC)


NEAR = timedelta(seconds=2)
"""Clocks that differ by less are the same: nodes of a cluster do, and it may be how long the answer took."""


def by_clock(clock: Clock, moment: datetime, store_time: datetime | None) -> datetime:
    """Return a `moment` of the past by `clock`, given by the store's clock, which shows `store_time` now.

    LONG_AGO if it is in the future there: the store's clock was set back since, so nothing can be told from it.
    """
    if store_time is None or moment == LONG_AGO:
        return moment
    if moment - store_time > NEAR:
        return LONG_AGO
    ahead = clock.now() - store_time
    return moment if abs(ahead) < NEAR else moment + ahead


@dataclass(frozen=True, slots=True)
class Stored:
    """A record's bytes and the version that a save must name."""

    value: bytes
    version: int


Take = Callable[[str, Stored], Awaitable[None]]
"""A function that takes a key and its record."""


class Records(Protocol):
    """A key-value store with compare-and-set."""

    async def load(self, key: str) -> Stored | None: ...

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        """Replace version `version` (None: create) and return the new one. Raises Conflict if it is outdated."""
        ...

    async def remove(self, key: str, version: int) -> None:
        """Remove a record without a trace, unless it was saved again since `version`. Raises TransportError."""
        ...

    async def created_at(self, clock: Clock | None = None) -> datetime:
        """Return when the store was created, by `clock` or else its own; earlier records are lost.

        LONG_AGO if its own was set back since. Raises TransportError.
        """
        ...

    async def each(self, prefix: str, take: Take, *, retrying: Retrying) -> None:
        """Pass each record whose key starts with `prefix`, which ends at a dot, to `take`: concurrently, unordered.

        One that is saved meanwhile comes as it was, or as it is, or both. Raises TransportError if the store stays
        unavailable.
        """
        ...


class Marks(Protocol):
    """Keys that are set or not; each setting of a key has a version. Every method raises TransportError."""

    async def add(self, key: str) -> int:
        """Set `key`, even if it is set, and return its version, which is greater than any before."""
        ...

    async def drop(self, key: str, version: int) -> None:
        """Remove `key` without a trace, unless it was added again since it had `version`."""
        ...

    async def version(self, key: str) -> int | None:
        """Return the version of `key`, None if it is not set."""
        ...

    async def is_ours(self, key: str) -> bool:
        """Return whether `key` was set by `add`: other users can make a NATS server write an answer there."""
        ...

    async def created_at(self, clock: Clock | None = None) -> datetime:
        """Return when the store was created, as for records; earlier marks are lost. Without `clock` it is an id."""
        ...

    async def keys(self, prefix: str) -> Sequence[str]:
        """Return all keys that start with `prefix`, which ends at a dot."""
        ...
