"""What must outlive the bridge about requests that wait on RabbitMQ: which they are, and until when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from bridge.ids import correlation
from events.errors import Conflict, TransportError
from events.records import Records
from events.runtime.log_throttle import LogThrottle

EPOCH = datetime.fromtimestamp(0, UTC)

log = structlog.get_logger(__name__)


class SentRequest(BaseModel):
    """A request was sent to RabbitMQ; before `until` there is no sense in sending it again.

    `headers` are what its reply takes over: the trace, and where the request came from.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    until: AwareDatetime = EPOCH
    headers: Mapping[str, str] = {}

    def valid(self, now: datetime) -> bool:
        return now < self.until


class SentRequests:
    """Kept under the request's correlation id, which is all that a foreign worker sends back."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._log_throttle = LogThrottle()

    async def find(self, correlation_id: str) -> SentRequest | None:
        """None if it is no id of ours, or what is stored under it is no note of ours. Raises TransportError."""
        try:
            key = str(UUID(correlation_id))
        except ValueError:
            return None
        stored = await self._records.load(key)
        note = _read(key, stored.value) if stored else None
        if stored and note is None and self._log_throttle.due("unreadable"):
            log.warning("bridge.note_unreadable", correlation_id=key, error="it is not one of ours, and is left out")
        return note

    async def keep(self, note: SentRequest) -> None:
        """Without it a restarted bridge would ask once more, and not know a foreign worker's late answer."""
        key = correlation(note.request_id)
        try:
            stored = await self._records.load(key)
            await self._records.save(key, note.model_dump_json().encode(), stored.version if stored else None)
        except (Conflict, TransportError) as error:
            log.warning("bridge.not_noted", request_id=note.request_id, error=str(error))


def _read(key: str, value: bytes) -> SentRequest | None:
    try:
        note = SentRequest.model_validate_json(value)
    except ValidationError:
        return None
    ours = note.model_fields_set == SentRequest.model_fields.keys() and correlation(note.request_id) == key
    return note if ours else None
