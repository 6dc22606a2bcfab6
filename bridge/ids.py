"""Ids derived from messages, so that a restarted bridge, or another one, derives the same."""

import hashlib
from uuid import UUID, uuid5

from events import subjects
from events.ids import RequestId
from events.rabbitmq.message import AmqpMessage

NAMESPACE = UUID("6f1f1d0c-2f0e-5a53-9c0b-3f2b6c9a7d11")
"""Namespace of our correlation ids: an arbitrary UUID that must never change."""


def correlation_id_for(request_id: str) -> str:
    """Return the UUID that stands for a request on RabbitMQ and in keys of stored records."""
    return str(uuid5(NAMESPACE, request_id))


def request_id_for(message: AmqpMessage) -> RequestId:
    """Return the request id of a requester's message, the same for each of its deliveries.

    The body counts too: a requester that restarts its correlation ids from the beginning still gets new answers.
    """
    return RequestId(
        subjects.RABBITMQ_ACCOUNT,
        _digest(message.reply_to.encode()),
        _digest(message.correlation_id.encode(), message.message_id.encode(), message.body),
    )


def _digest(*parts: bytes) -> str:
    """Return 128 bits of SHA-256, as hexadecimal. Each part is prefixed with its length, so that boundaries count."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]
