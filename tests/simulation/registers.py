"""The compare-and-set updates of chat records, as lines of a history: a bucket that was lost begins anew."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from events import subjects
from events.errors import Conflict
from events.jetstream.records import JetStreamRecords
from tests.promises.linearizable import FAILED, NONE, OK, REMOVED, UNKNOWN
from tests.promises.lines.stored import Update
from tests.simulation.before import versions
from tests.simulation.nats.store import Store
from tests.simulation.nats.streams import Stream

STREAM = f"KV_{subjects.CHATS_BUCKET}"


@dataclass
class Registers:
    """`updates`: all that were attempted. One that a crash has cut short is as one without an answer."""

    store: Store
    updates: list[Update] = field(default_factory=list)
    _buckets: int = 0
    _bucket: Stream | None = None

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record the updates of all processes until the end."""
        with ExitStack() as stack:
            for kind, conflict in zip(versions(JetStreamRecords), versions(Conflict), strict=True):
                stack.enter_context(patch.object(kind, "save", self._recorded(kind.save, conflict)))
                stack.enter_context(patch.object(kind, "remove", self._removing(kind.remove)))
            yield

    def _recorded(self, save: Any, conflict: type[Exception]) -> Any:
        async def recorded(records: JetStreamRecords, key: str, value: bytes, version: int | None) -> int:
            if records._stream != STREAM:
                return await save(records, key, value, version)
            begun = self._begin(key, version)
            try:
                revision = await save(records, key, value, version)
            except conflict:
                self._end(begun, FAILED, None)
                raise
            self._end(begun, OK, revision)
            return revision

        return recorded

    def _removing(self, remove: Any) -> Any:
        async def recorded(records: JetStreamRecords, key: str, version: int) -> None:
            begun = self._begin(key, version, REMOVED) if records._stream == STREAM else None
            await remove(records, key, version)
            if begun is not None:
                self._end(begun, REMOVED, None)

        return recorded

    def overwritten(self, key: str, before: int, after: int) -> None:
        """Record what was stored under `key` past all processes."""
        self._end(self._begin(key, before), OK, after)

    def _begin(self, key: str, version: int | None, result: str = UNKNOWN) -> int:
        """Until it has ended it may happen at any time."""
        name = f"{key} in bucket {self._number()}"
        self.updates.append(Update(name, version or NONE, result, began=_now()))
        return len(self.updates) - 1

    def _end(self, begun: int, result: str, revision: int | None) -> None:
        """Of an update during which the bucket was lost it is not known which bucket had it."""
        update = self.updates[begun]
        key, _, before = update.key.partition(" in bucket ")
        if str(number := self._number()) == before:
            self.updates[begun] = replace(update, result=result, revision=revision, ended=_now())
        else:
            self.updates.append(replace(update, key=f"{key} in bucket {number}"))

    def _number(self) -> int:
        """Return which of the buckets there is now; that there is none counts as one."""
        bucket = self.store.streams.get(STREAM)
        if bucket is not self._bucket:
            self._bucket, self._buckets = bucket, self._buckets + 1
        return self._buckets


def _now() -> float:
    return asyncio.get_running_loop().time()
