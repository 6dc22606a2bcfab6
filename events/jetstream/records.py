"""Records in a JetStream key-value bucket."""

from collections.abc import Sequence

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from events.errors import Conflict, TransportError
from events.records import Stored


class JetStreamRecords:
    """Implements `events.records.Records`."""

    def __init__(self, js: JetStreamContext, bucket: KeyValue, name: str) -> None:
        self._js = js
        self._bucket = bucket
        self._name = name

    @classmethod
    async def open(cls, js: JetStreamContext, bucket: str) -> "JetStreamRecords":
        """The bucket must exist (topology). Raises TransportError."""
        try:
            return cls(js, await js.key_value(bucket), bucket)
        except (NatsError, OSError) as error:
            raise TransportError(f"bucket {bucket} could not be opened ({_reason(error)}); try again") from None

    async def load(self, key: str) -> Stored | None:
        try:
            entry = await self._bucket.get(key)
        except KeyNotFoundError:
            return None
        except (NatsError, OSError) as error:
            raise TransportError(f"record {key} could not be read ({_reason(error)}); try again") from None
        return Stored(entry.value or b"", entry.revision or 0)

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        try:
            if version is None:
                return await self._bucket.create(key, value)
            return await self._bucket.update(key, value, last=version)
        except KeyWrongLastSequenceError:
            raise Conflict(f"record {key} was changed by somebody else") from None
        except (NatsError, OSError) as error:
            raise TransportError(f"record {key} could not be saved ({_reason(error)}); try again") from None

    async def keys(self, prefix: str) -> Sequence[str]:
        # Not `KeyValue.keys`: its filters are substrings, and it reads every record to apply them.
        root = f"$KV.{self._name}."
        try:
            info = await self._js.stream_info(f"KV_{self._name}", subjects_filter=f"{root}{prefix}>")
        except (NatsError, OSError) as error:
            raise TransportError(f"records could not be listed ({_reason(error)}); try again") from None
        return [subject.removeprefix(root) for subject in info.state.subjects or {}]


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
