"""A message of RabbitMQ as telemetry sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from events.event import Event
from events.rabbitmq.message import AmqpMessage

TRACE_HEADERS = ("traceparent", "tracestate")
MAX_TRACE = 512
"""Characters of one that is passed on, as the W3C asks for; a longer one must not cost its question."""


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """Implements `observability.spans.TracedDelivery`."""

    event: Event
    attempt: int
    published_at: datetime

    @classmethod
    def of(cls, event: Event, message: AmqpMessage) -> Self:
        return cls(event, message.attempts + 1, message.sent_at or event.time)


def trace_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The trace context, and none of the other headers that a stranger may have set."""
    return {name: value for name, value in headers.items() if name.lower() in TRACE_HEADERS and len(value) <= MAX_TRACE}
