"""What a reply means for the chat record."""

from datetime import datetime

import structlog

from edge.userbot import record as records
from edge.userbot.record import ChatRecord
from events.errors import MalformedEvent
from events.event import Event
from events.schema import FailureReason, GenerationCompleted, GenerationFailed

log = structlog.get_logger(__name__)


def settled(record: ChatRecord, reply: Event, now: datetime, *, formatted: bool) -> ChatRecord:
    """The outcome that `reply` brings, if it is the first for the current question; one that can't be read fails it.

    `formatted`: its Markdown is to be shown as formatting.
    """
    try:
        data = reply.data()
    except MalformedEvent as error:
        failed = records.failed(record, reply.subject, FailureReason.MALFORMED, now)
        if failed is not record:  # nobody waits for any other
            log.error("reply.malformed", request_id=reply.subject, error=str(error))
        return failed
    match data:
        case GenerationCompleted(request_id=request_id, text=text):
            return records.answered(record, request_id, text, now, formatted=formatted)
        case GenerationFailed(request_id=request_id, reason=reason):
            return records.failed(record, request_id, reason, now)
    return records.failed(record, data.request_id, FailureReason.MALFORMED, now)
