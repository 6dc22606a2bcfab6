"""CloudEvents 1.0 in binary mode: attributes in headers, JSON data in the body.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from pydantic import ValidationError

from events.errors import MalformedEvent
from events.ids import RequestId
from events.schema import TYPES, EventData, FeedbackGiven, GenerationProgressed

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
EPOCH = datetime.fromtimestamp(0, UTC)
"""The time of an event that has none."""
NATS_PREFIX = "ce-"
AMQP_PREFIX = "cloudEvents:"

_NAME = re.compile(r"(?!nats-)[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,255}", re.IGNORECASE)
"""The name of a header that every broker accepts and none interprets. NATS is the strictest (an HTTP token); `Nats-…`
are instructions to JetStream, which might refuse the message or treat it as a duplicate."""

MAX_ATTRIBUTE = 255
"""Characters of an attribute, which is cut there; a request id has at most 204."""

ORIGIN_HEADERS = (
    "timokha-origin-reply-to",
    "timokha-origin-correlation-id",
    "timokha-origin-subject",
    "timokha-origin-asked",
)
"""Headers that a bridge adds to a request and that are copied to its reply, so that it can be routed back."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event in its envelope.

    `subject` is the request id, so that a reply can be addressed even if the body can't be read.
    `headers` holds what is no CloudEvents attribute: trace context and what bridges add.
    `claimed` is the envelope's subject where it differs from the one that the event was stored under, which counts.
    A transport passes on what it received unchecked; only `data()` and `request_id` are strict.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    claimed: str = ""

    @classmethod
    def of(cls, data: EventData, *, source: str, time: datetime, headers: Mapping[str, str] | None = None) -> Self:
        """Wrap `data`. The id is derived from it, so that a repeated publish can be deduplicated."""
        kind = data.TYPE.rsplit(".", 2)[1]
        return cls(
            id=f"{data.request_id}:{kind}{_which(data)}",
            type=data.TYPE,
            source=source,
            subject=data.request_id,
            time=time,
            body=data.model_dump_json().encode(),
            headers=dict(headers or {}),
        )

    @property
    def request_id(self) -> RequestId:
        """The parsed subject. Raises MalformedEvent if it is no request id."""
        return RequestId.parse(self.subject)

    def data(self) -> EventData:
        """Return the typed data. Raises MalformedEvent if type or body can't be read, or subjects contradict."""
        if self.claimed:
            raise MalformedEvent(f"its subject attribute {self.claimed!r} is not the subject that it came under")
        model = TYPES.get(self.type)
        if model is None:
            raise MalformedEvent(f"unknown event type {self.type[:200]!r}; is a newer version publishing?")
        try:
            data = model.model_validate_json(self.body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise MalformedEvent(f"{self.type}: {where}: {first['msg']}") from None
        if data.request_id != self.subject:
            raise MalformedEvent(f"{self.type}: request_id in the data differs from the subject")
        return data


def _which(data: EventData) -> str:
    """Return what tells events apart of which a request may have several."""
    match data:
        case GenerationProgressed(sequence=sequence):
            return f".{sequence}"
        case FeedbackGiven(reader=reader, vote=vote):
            return f".{reader}.{vote}"
    return ""


def attributes(event: Event) -> dict[str, str]:
    """Return the CloudEvents attributes of `event` by their names in the specification."""
    return {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": event.time.isoformat(),
    }


def to_headers(event: Event, prefix: str) -> dict[str, str]:
    """Return the headers that carry `event`; the body is sent as it is."""
    return {**event.headers, **{prefix + name: value for name, value in attributes(event).items()}}


def from_headers(
    headers: Mapping[str, str],
    body: bytes,
    prefix: str,
    *,
    place: str = "",
    subject: str = "",
    received: datetime = EPOCH,
) -> Event:
    """Invert `to_headers`. What is missing becomes empty, so that `data()` refuses it later.

    Headers that a broker would not accept are left out; otherwise the event could not even become a dead letter.
    `place` is the request id in the transport's own subject, and takes precedence. Without it `subject` replaces a
    missing subject. `received` replaces a missing time.
    """
    given = {name[len(prefix) :]: value[:MAX_ATTRIBUTE] for name, value in headers.items() if name.startswith(prefix)}
    claimed = given.get("subject", "")
    return Event(
        id=given.get("id", ""),
        type=given.get("type", ""),
        source=given.get("source", ""),
        subject=(place or claimed or subject)[:MAX_ATTRIBUTE],
        time=_parse_time(given.get("time"), received),
        body=body,
        headers={
            name: value
            for name, value in headers.items()
            if not name.startswith((NATS_PREFIX, AMQP_PREFIX)) and _NAME.fullmatch(name)
        },
        claimed=claimed if place and claimed != place else "",
    )


def _parse_time(text: str | None, received: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return received
    return time if time.tzinfo else time.replace(tzinfo=UTC)
