"""What a reply means for the chat record."""

from datetime import datetime

import structlog

from edge.userbot.chat import record as records
from edge.userbot.chat.record import ChatRecord, Failure
from events.errors import MalformedEvent
from events.event import Event
from events.schema import FailureReason, GenerationCompleted, GenerationFailed

_MALFORMED = Failure(reason=FailureReason.MALFORMED)

log = structlog.get_logger(__name__)


def settled(record: ChatRecord, reply: Event, now: datetime, *, formatted: bool) -> ChatRecord:
    """The outcome that `reply` brings, if it is the first for the current question; one that can't be read fails it.

    `formatted`: its Markdown is to be shown as formatting.
    """
    try:
        data = reply.data()
    except MalformedEvent:
        return records.failed(record, reply.subject, FailureReason.MALFORMED, now)
    match data:
        case GenerationCompleted(request_id=request_id, text=text):
            return records.answered(record, request_id, text, now, formatted=formatted)
        case GenerationFailed(request_id=request_id, reason=reason):
            return records.failed(record, request_id, reason, now)
    return records.failed(record, data.request_id, FailureReason.MALFORMED, now)


def report(record: ChatRecord, reply: Event) -> None:
    """Log that `reply` can't be read, if that failed the question of `record`: nobody waits for any other."""
    current = record.current
    if current is None or current.request_id != reply.subject or current.outcome != _MALFORMED:
        return
    try:
        reply.data()
    except MalformedEvent as error:
        log.error("reply.malformed", request_id=reply.subject, error=str(error))
