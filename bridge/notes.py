"""What must outlive the bridge about requests that wait on RabbitMQ: which they are, and until when."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict

from bridge.ids import correlation
from events.errors import Conflict, TransportError
from events.records import Records

EPOCH = datetime.fromtimestamp(0, UTC)

log = structlog.get_logger(__name__)


class Note(BaseModel):
    """A request was sent to RabbitMQ; before `until` there is no sense in sending it again.

    `headers` are what its reply takes over: the trace, and where the request came from.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    until: AwareDatetime = EPOCH
    headers: Mapping[str, str] = {}

    def valid(self, now: datetime) -> bool:
        return now < self.until


class Notes:
    """Kept under the request's correlation id, which is all that a foreign worker sends back."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def find(self, correlation_id: str) -> Note | None:
        """None if it is no id of ours. Raises TransportError."""
        try:
            stored = await self._records.load(str(UUID(correlation_id)))
            return Note.model_validate_json(stored.value) if stored else None
        except ValueError:
            return None

    async def keep(self, note: Note) -> None:
        """Without it a restarted bridge would ask once more, and not know a foreign worker's late answer."""
        key = correlation(note.request_id)
        try:
            stored = await self._records.load(key)
            await self._records.save(key, note.model_dump_json().encode(), stored.version if stored else None)
        except (Conflict, TransportError) as error:
            log.warning("bridge.not_noted", request_id=note.request_id, error=str(error))
