"""Ids that both sides can derive: nothing about a request in flight is only in the bridge's memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import quote, unquote
from uuid import UUID, uuid5

from events import subjects
from events.errors import MalformedEvent
from events.event import ORIGIN_HEADERS
from events.ids import RequestId
from events.rabbitmq.message import AmqpMessage

NAMESPACE = UUID("6f1f1d0c-2f0e-5a53-9c0b-3f2b6c9a7d11")
"""Of our correlation ids: any fixed UUID, as long as it never changes."""


def correlation(request_id: str) -> str:
    """The UUID that stands for a request where an id has to be one."""
    return str(uuid5(NAMESPACE, request_id))


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Where the answer to a request from RabbitMQ goes. It travels in the headers of request and reply."""

    reply_to: str
    correlation_id: str
    subject: str = ""
    """The requester's own request id, if it speaks in events."""
    asked_at: datetime | None = None
    """When the bridge took the question."""

    @classmethod
    def of(cls, message: AmqpMessage, *, subject: str = "") -> Self:
        """Raises MalformedEvent if nobody could be answered."""
        if not message.reply_to:
            raise MalformedEvent("it has no reply_to: nobody could be answered")
        if not message.correlation_id:
            raise MalformedEvent("it has no correlation_id: its requester could not tell the answer")
        return cls(message.reply_to, message.correlation_id, subject)

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Self:
        """The inverse of `headers`. Raises MalformedEvent."""
        *names, asked = ORIGIN_HEADERS
        try:
            reply_to, correlation_id, subject = (unquote(headers[name]) for name in names)
        except KeyError as error:
            raise MalformedEvent(
                f"header {error} is missing: the worker that answered is too old for a bridge"
            ) from None
        return cls(reply_to, correlation_id, subject, _time(headers.get(asked, "")))

    def headers(self) -> dict[str, str]:
        """Percent-encoded: a header of NATS can't hold every character that a queue's name can."""
        *names, asked = ORIGIN_HEADERS
        headers = {
            name: quote(value, safe="")
            for name, value in zip(names, (self.reply_to, self.correlation_id, self.subject), strict=True)
        }
        return {**headers, asked: self.asked_at.isoformat()} if self.asked_at else headers


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def request_id_for(message: AmqpMessage) -> RequestId:
    """The same message always makes the same request, however often it is delivered.

    Its body counts too: a requester that starts to count its correlation ids anew still gets new answers.
    """
    return RequestId(
        subjects.RABBITMQ_ACCOUNT,
        _digest(message.reply_to.encode()),
        _digest(message.correlation_id.encode(), message.message_id.encode(), message.body),
    )


def _digest(*parts: bytes) -> str:
    """Of 128 bits; each part has its length before it, so that no two lists of parts look alike."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]
