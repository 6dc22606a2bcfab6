"""Marks: keys that are either set or not, each setting of a key with a version of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


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
