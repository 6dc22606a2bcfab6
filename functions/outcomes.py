"""How a delivery ends: publish first, confirmed; only then settle."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from events.errors import MalformedEvent
from events.event import Event
from events.schema import EventData, FailureReason, GenerationCompleted, GenerationFailed
from events.transport import Channel, Delivery, Published, Publisher

REASON_HEADER = "timokha-reason"
DETAIL_HEADER = "timokha-detail"
ATTEMPTS_HEADER = "timokha-attempts"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    data: GenerationCompleted


@dataclass(frozen=True, slots=True)
class GaveUp:
    """There will be no answer: a dead letter, and the asker is told."""

    reason: FailureReason
    detail: str
    attempts: int

    @classmethod
    def exhausted(cls, attempts: int) -> "GaveUp":
        return cls(FailureReason.ATTEMPTS_EXHAUSTED, f"no worker finished it in {attempts} attempts", attempts)

    @classmethod
    def malformed(cls, detail: str, attempts: int) -> "GaveUp":
        return cls(FailureReason.MALFORMED, detail, attempts)


@dataclass(frozen=True, slots=True)
class Postponed:
    why: str
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing to do: somebody else has, or nobody waits any more."""

    why: str


Outcome = Answered | GaveUp | Postponed | Skipped


async def settle(outcome: Outcome, delivery: Delivery, publisher: Publisher, source: str) -> None:
    """Raises TransportError; the delivery then comes again."""
    request_id = delivery.event.subject
    match outcome:
        case Answered(data):
            published = await publisher.publish(Channel.REPLIES, _reply(data, source))
            await delivery.ack()
            log.info("request.answered", request_id=request_id, repeated=published is Published.ALREADY_THERE)
        case GaveUp():
            await _give_up(outcome, delivery, publisher, source)
        case Postponed(why, delay):
            log.warning("request.postponed", request_id=request_id, why=why, seconds=round(delay.total_seconds(), 1))
            await delivery.retry(delay)
        case Skipped(why):
            log.info("request.skipped", request_id=request_id, why=why)
            await delivery.ack()


async def _give_up(outcome: GaveUp, delivery: Delivery, publisher: Publisher, source: str) -> None:
    log.error("request.gave_up", request_id=delivery.event.subject, reason=outcome.reason, detail=outcome.detail)
    try:
        request_id = str(delivery.event.request_id)
    except MalformedEvent:
        # It can't be addressed, so nobody can be told; the line above is all that is left of it.
        await delivery.discard()
        return
    await publisher.publish(Channel.DEADLETTERS, dead_letter(delivery.event, outcome))
    failed = GenerationFailed(
        request_id=request_id, reason=outcome.reason, detail=outcome.detail, attempts=outcome.attempts
    )
    await publisher.publish(Channel.REPLIES, _reply(failed, source))
    await delivery.discard()


def dead_letter(event: Event, outcome: GaveUp) -> Event:
    """The event as it was, its own headers included, with what became of it."""
    why: Mapping[str, str] = {
        REASON_HEADER: outcome.reason.value,
        DETAIL_HEADER: outcome.detail.replace("\n", " "),
        ATTEMPTS_HEADER: str(outcome.attempts),
    }
    return replace(event, headers={**event.headers, **why})


def _reply(data: EventData, source: str) -> Event:
    return Event.of(data, source=source)
