"""Requests from RabbitMQ that a bridge refuses: fail them, and keep them as dead letters where that helps."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bridge.codecs import SOURCE
from bridge.headers import MARK, RequestOrigin, TracedMessage, trace_headers
from bridge.ids import request_id_for
from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.rabbitmq.message import AmqpMessage
from events.runtime.clock import Clock
from events.schema import GenerationRequested
from events.transport import Channel, Log
from functions.worker.outcomes import GaveUp
from functions.worker.settling import dead_letter, origin_headers, publish_failure
from observability import names
from observability.telemetry import Telemetry

MAX_BODY = 64 * 1024
"""Bytes of a refused body that are kept."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """`queue` is where the requests arrived."""

    queue: str
    events: Log
    telemetry: Telemetry
    clock: Clock

    async def refuse(self, message: AmqpMessage, outcome: GaveUp) -> None:
        """Keep a request as a dead letter, and fail it if its requester can be reached. Raises TransportError."""
        with self._processing(message) as refused:
            await dead_letter(outcome, refused, self.events, self.telemetry)
            if origin_headers(refused.headers):
                await self._fail(refused, outcome)

    async def fail(self, message: AmqpMessage, outcome: GaveUp) -> None:
        """Fail a request without a dead letter: there is nothing to investigate. Raises TransportError."""
        with self._processing(message) as refused:
            await self._fail(refused, outcome)

    async def _fail(self, refused: Event, outcome: GaveUp) -> None:
        # Through REPLIES, like any reply, so that it is not lost.
        await publish_failure(outcome, refused, self.events, self.telemetry, source=SOURCE, now=self.clock.now())

    @contextmanager
    def _processing(self, message: AmqpMessage) -> Iterator[Event]:
        refused = self._refused(message)
        with self.telemetry.spans.process(
            Channel.REQUESTS,
            TracedMessage.of(refused, message),
            group="bridge",
            system=names.RABBITMQ,
            destination=self.queue,
            entry=True,
        ):
            yield refused

    def _refused(self, message: AmqpMessage) -> Event:
        request_id, now, origin = request_id_for(message), self.clock.now(), _find_origin(message)
        return Event(
            id=f"{request_id}:refused",
            type=GenerationRequested.TYPE,
            source=SOURCE,
            subject=str(request_id),
            time=now,
            body=message.body[:MAX_BODY],
            headers={
                **trace_headers(message.headers),
                **(replace(origin, asked_at=now).headers() if origin else {}),
            },
        )


def _find_origin(message: AmqpMessage) -> RequestOrigin | None:
    """Return where to reply, or None if the message does not say, or if a bridge sent it here by mistake."""
    try:
        subject = str(RequestId.parse(message.event().subject))
    except MalformedEvent:
        subject = ""  # the requester does not send events
    try:
        return None if MARK in message.headers else RequestOrigin.of(message, subject=subject)
    except MalformedEvent:
        return None
