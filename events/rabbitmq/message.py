"""Convert AMQP messages; headers that are not text are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from events.event import AMQP_PREFIX, CONTENT_TYPE, Event, from_headers, to_headers

EPOCH = datetime.fromtimestamp(0, UTC)

ATTEMPTS_HEADER = "x-timokha-attempts"
"""Deliveries before a delayed retry, which is a new message with a new count at the broker."""

SENT_HEADER = "x-timokha-sent"
"""Milliseconds since 1970; AMQP's own timestamp is in whole seconds."""

COUNTS = ("x-delivery-count", "x-acquired-count")
"""Deliveries of a quorum queue: returned ones, and from RabbitMQ 4.3 on all, the only count with crashes then."""


MIN_EXPIRY, MAX_EXPIRY = timedelta(milliseconds=1), timedelta(milliseconds=2**32 - 1)
"""0 ms would mean: only if a consumer takes it at once. More than 32 bits close the channel."""

MAX_SHORT = 255
"""Bytes of a property or a queue name."""


@dataclass(frozen=True, slots=True)
class AmqpMessage:
    """A message that is sent or received; an empty property means that it is absent."""

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
    """The last reason for dead-lettering: `expired`, `delivery_limit`, `rejected` or `maxlen`."""

    @classmethod
    def of(
        cls, event: Event, *, reply_to: str = "", expires_in: timedelta | None = None, attempts: int = 0
    ) -> "AmqpMessage":
        """Wrap an event as a CloudEvent in binary mode.

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
        """Invert `of`; what is missing becomes empty (see `from_headers`)."""
        return from_headers(
            self.headers,
            self.body,
            AMQP_PREFIX,
            subject=self.correlation_id,
            received=self.received_at,
        )


def encode(message: AmqpMessage, now: datetime) -> aio_pika.Message:
    """Return the client's message to send at `now`."""
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
        expiration=None if message.expires_in is None else min(max(message.expires_in, MIN_EXPIRY), MAX_EXPIRY),
    )


def decode(incoming: AbstractIncomingMessage, now: datetime) -> AmqpMessage:
    """Return a message that was received at `now`."""
    headers = incoming.headers.items()
    return AmqpMessage(
        incoming.body,
        {name: value for name, value in headers if isinstance(value, str) and _is_portable(name, value)},
        content_type=incoming.content_type or "",
        correlation_id=incoming.correlation_id or "",
        reply_to=incoming.reply_to or "",
        message_id=incoming.message_id or "",
        expires_in=_expires_in(incoming),
        attempts=_attempts(incoming),
        sent_at=_sent_at(incoming),
        received_at=_sent_at(incoming) or now,
        death=_death(incoming),
    )


def _short(text: str) -> str | None:
    """Return the part of `text` that fits into a property; an event's headers have its full id and subject."""
    return text.encode()[:MAX_SHORT].decode(errors="ignore") or None


def _is_portable(name: str, value: str) -> bool:
    """Return whether a header can be forwarded: `x-` is the broker's, and NATS separates headers by line breaks."""
    return not name.startswith("x-") and name.isprintable() and value.isprintable()


def _attempts(incoming: AbstractIncomingMessage) -> int:
    """Return the number of earlier deliveries. A classic queue only says whether there was one."""
    counted = max(_number(incoming.headers.get(name)) for name in COUNTS)
    return _number(incoming.headers.get(ATTEMPTS_HEADER)) + (counted or int(bool(incoming.redelivered)))


def _sent_at(incoming: AbstractIncomingMessage) -> datetime | None:
    try:
        return EPOCH + timedelta(milliseconds=_number(incoming.headers[SENT_HEADER]))
    except (KeyError, OverflowError):
        return None


def _expires_in(incoming: AbstractIncomingMessage) -> timedelta | None:
    if incoming.expiration is None:
        return None
    try:
        return timedelta(seconds=float(incoming.expiration))  # type: ignore[arg-type]
    except (ValueError, OverflowError):  # its sender may have written anything
        return None


def _death(incoming: AbstractIncomingMessage) -> str:
    deaths = incoming.headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else {}
    return str(latest.get("reason", "")) if isinstance(latest, dict) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
