"""How a delivery ends: publish first, confirmed; only then settle."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from events.deadletters import ATTEMPTS_HEADER, DETAIL_HEADER, REASON_HEADER
from events.errors import MalformedEvent
from events.event import ORIGIN_PREFIX, Event
from events.schema import FailureReason, GenerationCompleted, GenerationFailed
from events.transport import Channel, Delivery, Publisher
from observability.telemetry import Telemetry

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


@dataclass(frozen=True, slots=True)
class Relayed:
    """Somebody else has answered it for us, and the reply is stored."""


Outcome = Answered | GaveUp | Postponed | Skipped | Relayed


async def settle(
    outcome: Outcome, delivery: Delivery, publisher: Publisher, *, source: str, telemetry: Telemetry, now: datetime
) -> None:
    """Raises TransportError; the delivery then comes again."""
    request_id = delivery.event.subject
    match outcome:
        case Answered(data):
            reply = Event.of(data, source=source, time=now, headers=origin(delivery.event.headers))
            await _publish(Channel.REPLIES, reply, publisher, telemetry)
            await delivery.ack()
            log.info("request.answered", request_id=request_id, attempt=delivery.attempt)
        case GaveUp():
            await _give_up(outcome, delivery, publisher, source, telemetry, now=now)
            await delivery.discard()
        case Postponed(why, delay):
            log.warning("request.postponed", request_id=request_id, why=why, seconds=round(delay.total_seconds(), 1))
            await delivery.retry(delay)
        case Relayed():
            await delivery.ack()
            log.info("request.relayed", request_id=request_id, attempt=delivery.attempt)
        case Skipped(why):
            log.info("request.skipped", request_id=request_id, why=why)
            await delivery.ack()


async def _give_up(
    outcome: GaveUp, delivery: Delivery, publisher: Publisher, source: str, telemetry: Telemetry, *, now: datetime
) -> None:
    telemetry.metrics.dead_lettered(outcome.reason)
    log.error("request.gave_up", request_id=delivery.event.subject, reason=outcome.reason, detail=outcome.detail)
    try:
        request_id = str(delivery.event.request_id)
    except MalformedEvent:
        # It can't be addressed, so nobody can be told; the line above is all that is left of it.
        return
    await _publish(Channel.DEADLETTERS, dead_letter(delivery.event, outcome), publisher, telemetry)
    failed = GenerationFailed(
        request_id=request_id, reason=outcome.reason, detail=outcome.detail, attempts=outcome.attempts
    )
    reply = Event.of(failed, source=source, time=now, headers=origin(delivery.event.headers))
    await _publish(Channel.REPLIES, reply, publisher, telemetry)


def origin(headers: Mapping[str, str]) -> dict[str, str]:
    """What the reply takes over from the request: where it came from, if it came over a bridge."""
    return {name: value for name, value in headers.items() if name.startswith(ORIGIN_PREFIX)}


def dead_letter(event: Event, outcome: GaveUp) -> Event:
    """The event as it was, its own headers included, with what became of it."""
    why: Mapping[str, str] = {
        REASON_HEADER: outcome.reason.value,
        DETAIL_HEADER: outcome.detail.replace("\n", " "),
        ATTEMPTS_HEADER: str(outcome.attempts),
    }
    return replace(event, headers={**event.headers, **why})


async def _publish(channel: Channel, event: Event, publisher: Publisher, telemetry: Telemetry) -> None:
    with telemetry.spans.send(channel, event) as traced:
        await publisher.publish(channel, traced)
