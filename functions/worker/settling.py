"""Settle a delivery by its outcome: publish, have it confirmed, and only then settle."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from events.deadletters import ATTEMPTS_HEADER, DETAIL_HEADER, REASON_HEADER, truncations
from events.errors import MalformedEvent, TransportError
from events.event import ORIGIN_HEADERS, Event
from events.faults import Fault
from events.schema import FailureReason, GenerationFailed
from events.transport import Channel, Delivery, Publisher
from functions.worker.outcomes import Answered, GaveUp, Outcome, Postponed, Relayed, Skipped
from observability.telemetry import Telemetry

MAX_DETAIL = 500
"""Characters of the detail of a failure: an error may repeat text of the request."""

MAX_ORIGIN = 4096
"""Longest origin header, in characters: a percent-encoded name of a queue is shorter. Longer ones are dropped."""

log = structlog.get_logger(__name__)


async def settle(
    outcome: Outcome, delivery: Delivery, publisher: Publisher, *, source: str, telemetry: Telemetry, now: datetime
) -> None:
    """Publish what follows from the outcome, then settle the delivery. Raises TransportError: it is redelivered."""
    request_id = delivery.event.subject
    match outcome:
        case Answered(data):
            reply = Event.of(data, source=source, time=now, headers=origin_headers(delivery.event.headers))
            try:
                await _publish(Channel.REPLIES, reply, publisher, telemetry)
            except TransportError as error:
                if error.fault is not Fault.FINAL:
                    raise
                # The broker will never take this reply, and another attempt would bring one like it.
                refused = GaveUp(FailureReason.REJECTED, str(error), delivery.attempt)
                await settle(refused, delivery, publisher, source=source, telemetry=telemetry, now=now)
                return
            await delivery.ack()
            log.info("request.answered", request_id=request_id, attempt=delivery.attempt)
        case GaveUp(reason=reason, detail=detail):
            log.error("request.gave_up", request_id=request_id, reason=reason, detail=detail[:MAX_DETAIL])
            await give_up(outcome, delivery.event, publisher, telemetry, source=source, now=now)
            await delivery.discard()
        case Postponed(detail, delay):
            log.warning("request.postponed", request_id=request_id, why=detail, seconds=round(delay.total_seconds(), 1))
            await delivery.retry(delay)
        case Relayed():
            await delivery.ack()
            log.info("request.relayed", request_id=request_id, attempt=delivery.attempt)
        case Skipped(detail, expired=True) if origin_headers(delivery.event.headers):
            # It came over a bridge: no edge watches its deadline, and its requester would wait forever.
            late = GaveUp(FailureReason.ATTEMPTS_EXHAUSTED, detail, delivery.attempt)
            await settle(late, delivery, publisher, source=source, telemetry=telemetry, now=now)
        case Skipped(detail):
            log.info("request.skipped", request_id=request_id, why=detail)
            await delivery.ack()


async def give_up(
    outcome: GaveUp, event: Event, publisher: Publisher, telemetry: Telemetry, *, source: str, now: datetime
) -> None:
    """Dead-letter a request and publish its failure. Raises TransportError: retry."""
    try:
        event.request_id  # noqa: B018
    except MalformedEvent:
        # Neither a dead letter nor a reply can be addressed; the log line is all that is left of it.
        telemetry.metrics.count_dead_letter(outcome.reason)
        return
    await dead_letter(outcome, event, publisher, telemetry)
    await publish_failure(outcome, event, publisher, telemetry, source=source, now=now)


async def dead_letter(outcome: GaveUp, event: Event, publisher: Publisher, telemetry: Telemetry) -> None:
    """Publish a request as a dead letter, and count it. Raises TransportError."""
    await publish_dead_letter(dead_letter_of(event, outcome), publisher, telemetry)
    # Only once it is stored: until then it is retried again and again.
    telemetry.metrics.count_dead_letter(outcome.reason)


async def publish_failure(
    outcome: GaveUp, event: Event, publisher: Publisher, telemetry: Telemetry, *, source: str, now: datetime
) -> None:
    """Publish the reply of a failed request. Raises TransportError."""
    detail = outcome.detail[:MAX_DETAIL]
    failed = GenerationFailed(request_id=event.subject, reason=outcome.reason, detail=detail, attempts=outcome.attempts)
    reply = Event.of(failed, source=source, time=now, headers=origin_headers(event.headers))
    await _publish(Channel.REPLIES, reply, publisher, telemetry)


async def publish_dead_letter(letter: Event, publisher: Publisher, telemetry: Telemetry) -> None:
    """Publish a dead letter, truncated if the broker refuses the whole. Raises TransportError."""
    smaller = truncations(letter)
    while True:
        try:
            await _publish(Channel.DEADLETTERS, letter, publisher, telemetry)
            return
        except TransportError as error:
            if error.fault is not Fault.FINAL or not (shorter := next(smaller, None)):
                raise
            letter = shorter


def origin_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a reply takes over: where its request came from, if it came over a bridge."""
    found = {name: headers[name] for name in ORIGIN_HEADERS if name in headers}
    return {name: value for name, value in found.items() if len(value) <= MAX_ORIGIN}


def dead_letter_of(event: Event, outcome: GaveUp) -> Event:
    """Return the event with headers that say why it was given up, besides its own."""
    headers = {
        REASON_HEADER: outcome.reason.value,
        DETAIL_HEADER: " ".join(outcome.detail[:MAX_DETAIL].split()),
        ATTEMPTS_HEADER: str(outcome.attempts),
    }
    return replace(event, headers={**event.headers, **headers})


async def _publish(channel: Channel, event: Event, publisher: Publisher, telemetry: Telemetry) -> None:
    with telemetry.spans.send(channel, event) as traced:
        await publisher.publish(channel, traced)
