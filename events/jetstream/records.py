"""Records in a JetStream key-value bucket."""

from datetime import datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KV_MARKER_REASON, KV_OP, KeyValue

from events.errors import Conflict
from events.jetstream.faults import failed, is_lost_stream
from events.jetstream.walking import walk
from events.records import LONG_AGO, Stored, Take
from events.runtime.retrying import Retrying


class JetStreamRecords:
    """Implements `events.records.Records`. A bucket that is gone is a TransportError, not a bucket without records."""

    def __init__(self, js: JetStreamContext, bucket: KeyValue, name: str) -> None:
        self._js = js
        self._bucket = bucket
        self._stream = f"KV_{name}"
        self._root = f"$KV.{name}."

    @classmethod
    async def open(cls, js: JetStreamContext, bucket: str) -> "JetStreamRecords":
        """The bucket must exist (topology). Raises TransportError."""
        try:
            return cls(js, await js.key_value(bucket), bucket)
        except (NatsError, OSError) as error:
            raise failed(f"bucket {bucket} could not be opened", error) from None

    async def load(self, key: str) -> Stored | None:
        # Not `KeyValue.get`: to it a bucket that is gone is a key that is not there.
        try:
            found = await self._js.get_msg(self._stream, subject=f"{self._root}{key}")
        except (NatsError, OSError) as error:
            if isinstance(error, NotFoundError) and not is_lost_stream(error):
                return None
            raise failed(f"record {key} could not be read", error) from None
        return _stored(found)

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        try:
            if version is None:
                return await self._bucket.create(key, value)
            return await self._bucket.update(key, value, last=version)
        except KeyWrongLastSequenceError:
            raise Conflict(f"record {key} was changed by somebody else") from None
        except (NatsError, OSError) as error:
            raise failed(f"record {key} could not be saved", error) from None

    async def made(self) -> datetime:
        try:
            info = await self._js.stream_info(self._stream)
        except (NatsError, OSError) as error:
            raise failed("the records could not be looked at", error) from None
        return info.created or LONG_AGO

    async def each(self, prefix: str, take: Take, *, retrying: Retrying) -> None:
        async def found(message: RawStreamMsg) -> None:
            stored = _stored(message)
            if stored and message.subject:
                await take(message.subject.removeprefix(self._root), stored)

        try:
            await walk(self._js, self._stream, f"{self._root}{prefix}>", found, retrying=retrying)
        except (NatsError, OSError) as error:
            raise failed("records could not be read", error) from None


def is_removal(message: RawStreamMsg) -> bool:
    """Return whether it only says that the key was removed, e.g. with the nats tool."""
    return bool({KV_OP, KV_MARKER_REASON} & (message.headers or {}).keys())


def _stored(message: RawStreamMsg) -> Stored | None:
    return None if is_removal(message) else Stored(message.data or b"", message.seq or 0)
