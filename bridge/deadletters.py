"""Move dead letters of RabbitMQ, its own and its workers', to JetStream's, where operators look for them."""

from dataclasses import dataclass, field, replace

import structlog

from bridge.codecs import SOURCE
from bridge.headers import TracedMessage
from bridge.queue_consumer import ErrorLog
from bridge.refusals import Refusals
from events.deadletters import REASON_HEADER
from events.errors import MalformedEvent
from events.event import Event
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage
from events.runtime.clock import Clock
from events.transport import Channel, Log
from functions.worker.outcomes import GaveUp
from functions.worker.settling import give_up, publish_dead_letter
from observability import names
from observability.telemetry import Telemetry

EXPIRED = "expired"
"""RabbitMQ's reason for a request past its deadline: the edge has informed its user, and the text must not stay."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Handles the messages of RabbitMQ's dead-letter queue."""

    events: Log
    telemetry: Telemetry
    clock: Clock
    log_error: ErrorLog = field(default_factory=ErrorLog)

    async def handle_message(self, received: ReceivedMessage) -> None:
        """Raises TransportError."""
        message = received.message
        if message.death == EXPIRED:
            return
        event = message.event()
        ours = REASON_HEADER in event.headers
        if not ours and message.reply_to not in ("", topology.REPLIES.name):
            await self._refuse(message)
            return
        try:
            event.request_id  # noqa: B018 - without one it can't be stored
        except MalformedEvent as error:
            self.log_error("deadletter.dropped", str(error))
            return
        await self._store(event, message, ours=ours)

    async def give_up(self, received: ReceivedMessage, reason: str) -> None:
        """Do nothing: no reply is awaited, and the edge fails the request at its deadline."""

    async def _store(self, event: Event, message: AmqpMessage, *, ours: bool) -> None:
        with self.telemetry.spans.process(
            Channel.DEADLETTERS,
            TracedMessage.of(event, message),
            group="bridge",
            system=names.RABBITMQ,
            destination=topology.DEADLETTERS.name,
        ):
            if ours:
                # The worker that gave up has counted the request and published its failure.
                await publish_dead_letter(event, self.events, self.telemetry)
                return
            outcome = _exhausted(message)
            await give_up(outcome, event, self.events, self.telemetry, source=SOURCE, now=self.clock.now())
            _log_outcome(outcome, event)

    async def _refuse(self, message: AmqpMessage) -> None:
        """Refuse a requester's message that no bridge could process, under the request id derived from it."""
        outcome = _exhausted(message)
        await Refusals(topology.DEADLETTERS.name, self.events, self.telemetry, self.clock).refuse(message, outcome)
        _log_outcome(outcome, message.event())


def _exhausted(message: AmqpMessage) -> GaveUp:
    """Return the outcome of a message that RabbitMQ itself gave up: not counted and not failed yet."""
    outcome = GaveUp.exhausted(message.attempts)
    return replace(outcome, detail=f"{outcome.detail}; RabbitMQ says {message.death[:50] or 'nothing'}")


def _log_outcome(outcome: GaveUp, event: Event) -> None:
    # Only once it is stored: until then it is retried again and again.
    log.error("request.gave_up", request_id=event.subject, reason=outcome.reason, detail=outcome.detail)
