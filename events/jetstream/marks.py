"""Marks in a JetStream bucket: one message each, whose sequence number is the version."""

from collections.abc import Sequence
from datetime import datetime

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from events.jetstream.api import delete_message, find_message, subjects_of
from events.jetstream.faults import retry_passing, translate_errors
from events.jetstream.records import created_at, is_removal
from events.runtime.clock import Clock
from events.runtime.retrying import Retrying

OURS = b"timokha"
"""The content of a mark. A server that somebody makes write here writes JSON, or nothing."""


class JetStreamMarks:
    """Implements `events.records.Marks`. Its bucket must let single messages be deleted."""

    def __init__(self, js: JetStreamContext, bucket: str) -> None:
        self._js = js
        self._stream = f"KV_{bucket}"
        self._root = f"$KV.{bucket}."

    @classmethod
    async def open(cls, js: JetStreamContext, bucket: str, *, retrying: Retrying) -> "JetStreamMarks":
        """Open an existing bucket (topology). Raises TransportError."""
        marks = cls(js, bucket)
        with translate_errors(f"bucket {bucket} could not be opened"):
            await retry_passing(lambda: js.stream_info(marks._stream), retrying=retrying)
        return marks

    async def add(self, key: str) -> int:
        with translate_errors(f"mark {key} could not be added"):
            return (await self._js.publish(f"{self._root}{key}", OURS)).seq

    async def drop(self, key: str, version: int) -> None:
        # By sequence number: a delete marker of the bucket would stay for ever, and would remove what was added since.
        with translate_errors(f"mark {key} could not be dropped"):
            await delete_message(self._js, self._stream, version, overwrite=False)  # it holds no text

    async def version(self, key: str) -> int | None:
        found = await self._look(key)
        return found.seq if found else None

    async def is_ours(self, key: str) -> bool:
        found = await self._look(key)
        return found is not None and found.data == OURS

    async def _look(self, key: str) -> RawStreamMsg | None:
        with translate_errors(f"mark {key} could not be looked up"):
            found = await find_message(self._js, self._stream, f"{self._root}{key}")
        return None if found is None or is_removal(found) else found

    async def created_at(self, clock: Clock | None = None) -> datetime:
        with translate_errors("the marks could not be looked at"):
            return await created_at(self._js, self._stream, clock)

    async def keys(self, prefix: str) -> Sequence[str]:
        with translate_errors("marks could not be listed"):
            found = await subjects_of(self._js, self._stream, f"{self._root}{prefix}>")
        return [subject.removeprefix(self._root) for subject in found]
