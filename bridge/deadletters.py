"""What workers on RabbitMQ gave up joins JetStream's dead letters, where people look for it."""

from dataclasses import dataclass

import structlog

from bridge.codecs import SOURCE, fitting
from events.deadletters import REASON_HEADER
from events.errors import MalformedEvent
from events.event import Event
from events.rabbitmq.receiver import Received
from events.runtime.clock import Clock
from events.schema import GenerationFailed
from events.transport import Channel, Log
from functions.outcomes import GaveUp, dead_letter, origin

EXPIRED = "expired"
"""A request that outlived its deadline: the edge has told its user, and the text must not stay."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    events: Log
    clock: Clock

    async def take(self, received: Received) -> None:
        """Raises TransportError."""
        message = received.message
        if message.death == EXPIRED:
            return
        event = message.event()
        try:
            request_id = str(event.request_id)
            fitting(event)
        except MalformedEvent as error:
            log.error("deadletter.dropped", error=str(error))
            return
        if REASON_HEADER in event.headers:
            # A worker of ours gave it up, and has told so in a reply of its own.
            await self.events.publish(Channel.DEADLETTERS, event)
            return
        await self._exhausted(event, request_id, GaveUp.exhausted(message.attempts))

    async def give_up(self, received: Received, why: str) -> None:
        """Nobody waits for it, and its request is known to the edge by its deadline."""

    async def _exhausted(self, event: Event, request_id: str, outcome: GaveUp) -> None:
        """The broker gave it up: nobody has told yet."""
        log.error("request.gave_up", request_id=request_id, reason=outcome.reason, detail=outcome.detail)
        await self.events.publish(Channel.DEADLETTERS, dead_letter(event, outcome))
        failed = GenerationFailed(
            request_id=request_id, reason=outcome.reason, detail=outcome.detail, attempts=outcome.attempts
        )
        await self.events.publish(
            Channel.REPLIES, Event.of(failed, source=SOURCE, time=self.clock.now(), headers=origin(event.headers))
        )
