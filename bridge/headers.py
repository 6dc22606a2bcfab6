"""Headers that a bridge reads and writes: the mark against loops, the trace context, and a request's origin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import quote, unquote

from events.errors import MalformedEvent
from events.event import ORIGIN_HEADERS, Event
from events.rabbitmq.message import AmqpMessage

MARK = "timokha-bridge"
"""Header of every request that a bridge sends to RabbitMQ; a bridge refuses to take such a request in."""

TRACE_HEADERS = ("traceparent", "tracestate")
MAX_TRACE = 512
"""Longest trace header that is passed on, in characters: the minimum that W3C asks for. Longer ones are dropped."""


def trace_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the trace context alone, without other headers that a stranger may have set."""
    return {name: value for name, value in headers.items() if name.lower() in TRACE_HEADERS and len(value) <= MAX_TRACE}


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """A message of RabbitMQ; implements `observability.spans.TracedDelivery`."""

    event: Event
    attempt: int
    published_at: datetime

    @classmethod
    def of(cls, event: Event, message: AmqpMessage) -> Self:
        return cls(event, message.attempts + 1, message.sent_at or event.time)


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Where to send the reply to a request from RabbitMQ. It travels in the headers of request and reply."""

    reply_to: str
    correlation_id: str
    subject: str = ""
    """The requester's own request id, if it sends events."""
    asked_at: datetime | None = None
    """When the bridge received the request."""

    @classmethod
    def of(cls, message: AmqpMessage, *, subject: str = "") -> Self:
        """Raises MalformedEvent if the message does not say where to reply."""
        if not message.reply_to:
            raise MalformedEvent("it has no reply_to, so no reply can be sent")
        if not message.correlation_id:
            raise MalformedEvent("it has no correlation_id, so its requester could not recognise the reply")
        return cls(message.reply_to, message.correlation_id, subject)

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Self:
        """Parse what `headers()` returns. Raises MalformedEvent."""
        *names, asked = ORIGIN_HEADERS
        try:
            reply_to, correlation_id, subject = (unquote(headers[name]) for name in names)
        except KeyError as error:
            raise MalformedEvent(f"header {error} is missing: the worker is too old for a bridge, update it") from None
        return cls(reply_to, correlation_id, subject, _parse_time(headers.get(asked, "")))

    def headers(self) -> dict[str, str]:
        """Return percent-encoded headers: a queue's name may have characters that a header of NATS can't hold."""
        *names, asked = ORIGIN_HEADERS
        headers = {
            name: quote(value, safe="")
            for name, value in zip(names, (self.reply_to, self.correlation_id, self.subject), strict=True)
        }
        return {**headers, asked: self.asked_at.isoformat()} if self.asked_at else headers


def _parse_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
