"""An AMQP message as this product sees it; headers that are not text are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from events.event import AMQP_PREFIX, CONTENT_TYPE, Event, from_headers, to_headers

EPOCH = datetime.fromtimestamp(0, UTC)

ATTEMPTS_HEADER = "x-timokha-attempts"
"""Deliveries before this copy was made: a delayed retry is a new message, which the broker counts anew."""

SENT_HEADER = "x-timokha-sent"
"""Milliseconds since 1970: AMQP's own timestamp counts whole seconds."""

COUNTS = ("x-delivery-count", "x-acquired-count")
"""Returned and, from RabbitMQ 4.3, handed-out deliveries of a quorum queue: 4.3 counts crashes in the second only."""


MAX_SHORT = 255
"""Bytes of a property or a queue's name."""


@dataclass(frozen=True, slots=True)
class AmqpMessage:
    """What is sent and received; an empty property is an absent one."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    correlation_id: str = ""
    reply_to: str = ""
    message_id: str = ""
    expires_in: timedelta | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    received_at: datetime = EPOCH
    death: str = ""
    """Why it was dead-lettered last: `expired`, `delivery_limit`, `rejected` or `maxlen`."""

    @classmethod
    def of(
        cls, event: Event, *, reply_to: str = "", expires_in: timedelta | None = None, attempts: int = 0
    ) -> "AmqpMessage":
        """A CloudEvent in binary mode.

        Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md
        """
        return cls(
            event.body,
            to_headers(event, AMQP_PREFIX),
            content_type=CONTENT_TYPE,
            correlation_id=event.subject,
            reply_to=reply_to,
            message_id=event.id,
            expires_in=expires_in,
            attempts=attempts,
        )

    def event(self) -> Event:
        """The inverse of `of`; what is missing becomes empty, as `from_headers` says."""
        return from_headers(
            self.headers,
            self.body,
            AMQP_PREFIX,
            subject=self.correlation_id,
            received=self.received_at,
        )


def encode(message: AmqpMessage, now: datetime) -> aio_pika.Message:
    """As it is sent at the time `now`."""
    headers: HeadersType = {**message.headers, SENT_HEADER: (now - EPOCH) // timedelta(milliseconds=1)}
    if message.attempts:
        headers[ATTEMPTS_HEADER] = message.attempts
    return aio_pika.Message(
        message.body,
        headers=headers,
        content_type=_short(message.content_type),
        correlation_id=_short(message.correlation_id),
        reply_to=_short(message.reply_to),
        message_id=_short(message.message_id),
        timestamp=now,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        expiration=_expiration(message.expires_in) if message.expires_in is not None else None,
    )


def decode(incoming: AbstractIncomingMessage, now: datetime) -> AmqpMessage:
    """As it was received at the time `now`."""
    headers = incoming.headers.items()
    return AmqpMessage(
        incoming.body,
        {name: value for name, value in headers if isinstance(value, str) and _travels(name, value)},
        content_type=incoming.content_type or "",
        correlation_id=incoming.correlation_id or "",
        reply_to=incoming.reply_to or "",
        message_id=incoming.message_id or "",
        attempts=_attempts(incoming),
        sent_at=_sent_at(incoming),
        received_at=_sent_at(incoming) or now,
        death=_death(incoming),
    )


def _expiration(expires_in: timedelta) -> timedelta:
    """Of 0 ms would mean: only if a consumer takes it at once; a longer one than 32 bits hold closes the channel."""
    return min(max(expires_in, timedelta(milliseconds=1)), timedelta(milliseconds=2**32 - 1))


def _short(text: str) -> str | None:
    """What fits into a property; an event has its own id and subject in the headers, whole."""
    return text.encode()[:MAX_SHORT].decode(errors="ignore") or None


def _travels(name: str, value: str) -> bool:
    """`x-` is the broker's own. A line break would become another header on a broker that writes them as lines."""
    return not name.startswith("x-") and name.isprintable() and value.isprintable()


def _attempts(incoming: AbstractIncomingMessage) -> int:
    """How often the message was delivered before. A classic queue only tells whether it was."""
    counted = max(_number(incoming.headers.get(name)) for name in COUNTS)
    return _number(incoming.headers.get(ATTEMPTS_HEADER)) + (counted or int(bool(incoming.redelivered)))


def _sent_at(incoming: AbstractIncomingMessage) -> datetime | None:
    try:
        return EPOCH + timedelta(milliseconds=_number(incoming.headers[SENT_HEADER]))
    except (KeyError, OverflowError):
        return None


def _death(incoming: AbstractIncomingMessage) -> str:
    deaths = incoming.headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else {}
    return str(latest.get("reason", "")) if isinstance(latest, dict) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
