"""A question from RabbitMQ that will have no answer: its asker is told, and a person can look into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bridge.codecs import SOURCE
from bridge.ids import RequestOrigin, request_id_for
from bridge.outbound import MARK
from bridge.taken import TracedMessage, trace_of
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
    """`queue` is where the questions were asked."""

    queue: str
    events: Log
    telemetry: Telemetry
    clock: Clock

    async def refuse(self, message: AmqpMessage, outcome: GaveUp) -> None:
        """Keep a question as a dead letter, and tell its asker, if anybody can be told. Raises TransportError."""
        with self._processing(message) as refused:
            await dead_letter(outcome, refused, self.events, self.telemetry)
            if origin_headers(refused.headers):
                await self._tell(refused, outcome)

    async def answer(self, message: AmqpMessage, outcome: GaveUp) -> None:
        """Tell its asker only: there is nothing to look into. Raises TransportError."""
        with self._processing(message) as refused:
            await self._tell(refused, outcome)

    async def _tell(self, refused: Event, outcome: GaveUp) -> None:
        """Through REPLIES, like any answer, so that it is not lost."""
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
        request_id, now, asker = request_id_for(message), self.clock.now(), _asker(message)
        return Event(
            id=f"{request_id}:refused",
            type=GenerationRequested.TYPE,
            source=SOURCE,
            subject=str(request_id),
            time=now,
            body=message.body[:MAX_BODY],
            headers={**trace_of(message.headers), **(replace(asker, asked_at=now).headers() if asker else {})},
        )


def _asker(message: AmqpMessage) -> RequestOrigin | None:
    """Who asked, if anybody can be told. A bridge that sent a request here by mistake lets somebody else try."""
    try:
        return None if MARK in message.headers else RequestOrigin.of(message, subject=_own_id(message))
    except MalformedEvent:
        return None


def _own_id(message: AmqpMessage) -> str:
    """The requester's request id, if it speaks in events."""
    try:
        return str(RequestId.parse(message.event().subject))
    except MalformedEvent:
        return ""
