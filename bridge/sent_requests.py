"""Records of requests sent to RabbitMQ, which outlive the bridge: which they are, and how long to wait for a reply."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from bridge.ids import correlation_id_for
from events.errors import Conflict, TransportError
from events.records import Records
from events.runtime.log_throttle import LogThrottle

EPOCH = datetime.fromtimestamp(0, UTC)

log = structlog.get_logger(__name__)


class SentRequest(BaseModel):
    """A request that was sent to RabbitMQ and must not be sent again before `until`.

    `headers` go into its reply: the trace context, and the request's origin.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    until: AwareDatetime = EPOCH
    headers: Mapping[str, str] = {}

    def is_awaited(self, now: datetime) -> bool:
        return now < self.until


class SentRequests:
    """Stores requests by their correlation id, which is all that a foreign worker sends back."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._log_throttle = LogThrottle()

    async def find(self, correlation_id: str) -> SentRequest | None:
        """Return None if the id is not one of ours, or if its record is not. Raises TransportError."""
        try:
            key = str(UUID(correlation_id))
        except ValueError:
            return None
        stored = await self._records.load(key)
        request = _parse(key, stored.value) if stored else None
        if stored and request is None and self._log_throttle.due("unreadable"):
            log.warning("bridge.note_unreadable", correlation_id=key, error="not written by a bridge; ignored")
        return request

    async def save(self, request: SentRequest) -> None:
        """Store a request. A failure is only logged.

        Without the record, a restarted bridge sends the request again and can't assign a foreign worker's late reply.
        """
        key = correlation_id_for(request.request_id)
        try:
            stored = await self._records.load(key)
            await self._records.save(key, request.model_dump_json().encode(), stored.version if stored else None)
        except (Conflict, TransportError) as error:
            log.warning("bridge.not_noted", request_id=request.request_id, error=str(error))


def _parse(key: str, value: bytes) -> SentRequest | None:
    try:
        request = SentRequest.model_validate_json(value)
    except ValidationError:
        return None
    ours = request.model_fields_set == SentRequest.model_fields.keys() and correlation_id_for(request.request_id) == key
    return request if ours else None
