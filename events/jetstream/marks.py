"""Marks in a JetStream bucket: a message each, its sequence number the version."""

from collections.abc import Sequence
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from events.jetstream.deleting import delete
from events.jetstream.faults import failed, is_lost_stream
from events.jetstream.listing import subjects_of
from events.jetstream.records import is_removal
from events.records import LONG_AGO

OURS = b"timokha"
"""What a mark holds: a server that is made to write here writes JSON, or nothing."""


class JetStreamMarks:
    """Implements `events.records.Marks`. Its bucket must let single messages be deleted."""

    def __init__(self, js: JetStreamContext, bucket: str) -> None:
        self._js = js
        self._stream = f"KV_{bucket}"
        self._root = f"$KV.{bucket}."

    @classmethod
    async def open(cls, js: JetStreamContext, bucket: str) -> "JetStreamMarks":
        """The bucket must exist (topology). Raises TransportError."""
        marks = cls(js, bucket)
        try:
            await js.stream_info(marks._stream)
        except (NatsError, OSError) as error:
            raise failed(f"bucket {bucket} could not be opened", error) from None
        return marks

    async def add(self, key: str) -> int:
        try:
            return (await self._js.publish(f"{self._root}{key}", OURS)).seq
        except (NatsError, OSError) as error:
            raise failed(f"mark {key} could not be added", error) from None

    async def drop(self, key: str, version: int) -> None:
        # By sequence: a delete marker of the bucket would stay for ever, and would remove what was added since.
        try:
            await delete(self._js, self._stream, version, overwrite=False)  # there is no text in it
        except (NatsError, OSError) as error:
            raise failed(f"mark {key} could not be dropped", error) from None

    async def version(self, key: str) -> int | None:
        found = await self._look(key)
        return found.seq if found else None

    async def is_ours(self, key: str) -> bool:
        found = await self._look(key)
        return found is not None and found.data == OURS

    async def _look(self, key: str) -> RawStreamMsg | None:
        try:
            found = await self._js.get_msg(self._stream, subject=f"{self._root}{key}")
        except (NatsError, OSError) as error:
            if isinstance(error, NotFoundError) and not is_lost_stream(error):
                return None
            raise failed(f"mark {key} could not be looked up", error) from None
        return None if is_removal(found) else found

    async def made(self) -> datetime:
        try:
            return (await self._js.stream_info(self._stream)).created or LONG_AGO
        except (NatsError, OSError) as error:
            raise failed("the marks could not be looked at", error) from None

    async def keys(self, prefix: str) -> Sequence[str]:
        try:
            found = await subjects_of(self._js, self._stream, f"{self._root}{prefix}>")
        except (NatsError, OSError) as error:
            raise failed("marks could not be listed", error) from None
        return [subject.removeprefix(self._root) for subject in found]
