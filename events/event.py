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
from events.schema import TYPES, EventData, GenerationProgressed

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
EPOCH = datetime.fromtimestamp(0, UTC)
"""Of an event without a time."""
NATS_PREFIX = "ce-"
AMQP_PREFIX = "cloudEvents:"

_NAME = re.compile(r"(?!nats-)[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,255}", re.IGNORECASE)
"""Of a header that every broker takes and none obeys: NATS is the strictest (a token of HTTP), and `Nats-…` are orders
to JetStream, which would refuse the message or pass it for one that it has."""

MAX_ATTRIBUTE = 255
"""Characters kept of an attribute; a request id has at most 204."""

ORIGIN_HEADERS = (
    "timokha-origin-reply-to",
    "timokha-origin-correlation-id",
    "timokha-origin-subject",
    "timokha-origin-asked",
)
"""What a bridge gives a request, and its reply takes over, so that the reply finds its way back."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event in its envelope.

    `subject` is the request id, so that a reply can be addressed even when the body can't be read.
    `headers` is everything that is not a CloudEvents attribute: trace context and what bridges add.
    `claimed` is another subject that the envelope names: the place where the event was found decides.
    A transport hands over whatever it was given; only `data()` and `request_id` are strict.
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
        """Wrap `data`; the id is derived, so the same fact published twice is recognisable."""
        kind = data.TYPE.rsplit(".", 2)[1]
        number = f".{data.sequence}" if isinstance(data, GenerationProgressed) else ""
        return cls(
            id=f"{data.request_id}:{kind}{number}",
            type=data.TYPE,
            source=source,
            subject=data.request_id,
            time=time,
            body=data.model_dump_json().encode(),
            headers=dict(headers or {}),
        )

    @property
    def request_id(self) -> RequestId:
        """Raises MalformedEvent when the subject is no request id."""
        return RequestId.parse(self.subject)

    def data(self) -> EventData:
        """The typed data. Raises MalformedEvent when type or body can't be read, or the subject is in doubt."""
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


def attributes(event: Event) -> dict[str, str]:
    """The CloudEvents attributes of `event` by their names in the specification."""
    return {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": event.time.isoformat(),
    }


def to_headers(event: Event, prefix: str) -> dict[str, str]:
    """The headers that carry `event`; the body travels as it is."""
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
    """The inverse of `to_headers`. What is missing becomes empty: `data()` will refuse it later.

    Headers that can't travel on are left out: with one, the event could not even become a dead letter.
    `place` is the subject under which the transport had the event, and decides; where it has none, `subject` stands in
    for one that the sender did not give, and `received` for a time.
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
