"""Records in a JetStream key-value bucket."""

from datetime import datetime

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KV_MARKER_REASON, KV_OP, KeyValue

from events.errors import Conflict
from events.jetstream.api import find_message, purge_subject, stream_times
from events.jetstream.faults import retry_passing, translate_errors
from events.jetstream.reading import walk
from events.records import LONG_AGO, Stored, Take, by_clock
from events.runtime.clock import Clock
from events.runtime.retrying import Retrying


class JetStreamRecords:
    """Implements `events.records.Records`. A lost bucket raises TransportError; it is not an empty one."""

    def __init__(self, js: JetStreamContext, bucket: KeyValue, name: str) -> None:
        self._js = js
        self._bucket = bucket
        self._stream = f"KV_{name}"
        self._root = f"$KV.{name}."

    @classmethod
    async def open(cls, js: JetStreamContext, bucket: str, *, retrying: Retrying) -> "JetStreamRecords":
        """Open an existing bucket (topology). Raises TransportError."""
        with translate_errors(f"bucket {bucket} could not be opened"):
            return cls(js, await retry_passing(lambda: js.key_value(bucket), retrying=retrying), bucket)

    async def load(self, key: str) -> Stored | None:
        # Not `KeyValue.get`: for it a lost bucket is the same as a missing key.
        with translate_errors(f"record {key} could not be read"):
            found = await find_message(self._js, self._stream, f"{self._root}{key}")
        return _stored(found) if found else None

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        with translate_errors(f"record {key} could not be saved"):
            try:
                if version is None:
                    return await self._bucket.create(key, value)
                return await self._bucket.update(key, value, last=version)
            except KeyWrongLastSequenceError:
                raise Conflict(f"record {key} was changed by somebody else") from None

    async def remove(self, key: str, version: int) -> None:
        # Not a delete marker, which would stay for ever.
        with translate_errors(f"record {key} could not be removed"):
            await purge_subject(self._js, self._stream, f"{self._root}{key}", up_to=version)

    async def created_at(self, clock: Clock | None = None) -> datetime:
        with translate_errors("the records could not be looked at"):
            return await created_at(self._js, self._stream, clock)

    async def each(self, prefix: str, take: Take, *, retrying: Retrying) -> None:
        async def found(message: RawStreamMsg) -> None:
            stored = _stored(message)
            if stored and message.subject:
                await take(message.subject.removeprefix(self._root), stored)

        with translate_errors("records could not be read"):
            await walk(self._js, self._stream, f"{self._root}{prefix}>", found, retrying=retrying)


async def created_at(js: JetStreamContext, stream: str, clock: Clock | None) -> datetime:
    """Return when a stream was created, by `clock` or else the server's. Raises NatsError."""
    times = await stream_times(js, stream)
    created = times.created or LONG_AGO
    return by_clock(clock, created, times.now) if clock else created


def is_removal(message: RawStreamMsg) -> bool:
    """Return whether the message marks its key as removed, e.g. by the nats tool."""
    return bool({KV_OP, KV_MARKER_REASON} & (message.headers or {}).keys())


def _stored(message: RawStreamMsg) -> Stored | None:
    return None if is_removal(message) else Stored(message.data or b"", message.seq or 0)
