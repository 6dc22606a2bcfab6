"""A question from RabbitMQ that will have no answer: a dead letter, and its asker is told."""

from dataclasses import dataclass, replace

from bridge.codecs import SOURCE
from bridge.ids import Origin, request_id_for
from bridge.outbound import MARK
from bridge.taken import Taken, trace_of
from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.rabbitmq.message import Message
from events.runtime.clock import Clock
from events.schema import GenerationRequested
from events.transport import Channel, Log
from functions.outcomes import GaveUp, bury, tell
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

    async def refuse(self, message: Message, outcome: GaveUp) -> None:
        """What is told goes to REPLIES first, like any answer, so that it is not lost. Raises TransportError."""
        origin = _origin(message)
        refused = self._refused(message, origin)
        with self.telemetry.spans.process(
            Channel.REQUESTS,
            Taken.of(refused, message),
            group="bridge",
            system=names.RABBITMQ,
            destination=self.queue,
            entry=True,
        ):
            await bury(outcome, refused, self.events, self.telemetry)
            if origin:
                await tell(outcome, refused, self.events, self.telemetry, source=SOURCE, now=self.clock.now())

    def _refused(self, message: Message, origin: Origin | None) -> Event:
        request_id, now = request_id_for(message), self.clock.now()
        return Event(
            id=f"{request_id}:refused",
            type=GenerationRequested.TYPE,
            source=SOURCE,
            subject=str(request_id),
            time=now,
            body=message.body[:MAX_BODY],
            headers={**trace_of(message.headers), **(replace(origin, asked_at=now).headers() if origin else {})},
        )


def _origin(message: Message) -> Origin | None:
    """Who asked, if anybody can be told. A bridge that sent a request here by mistake lets somebody else try."""
    try:
        return None if MARK in message.headers else Origin.of(message, subject=_own_id(message))
    except MalformedEvent:
        return None


def _own_id(message: Message) -> str:
    """The requester's request id, if it speaks in events."""
    try:
        return str(RequestId.parse(message.event().subject))
    except MalformedEvent:
        return ""
