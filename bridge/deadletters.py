"""What workers on RabbitMQ, or RabbitMQ itself, gave up joins JetStream's dead letters, where people look for it."""

from dataclasses import dataclass, field, replace

import structlog

from bridge.codecs import SOURCE
from bridge.complaints import Complaints
from bridge.refusals import Refusals
from bridge.taken import TracedMessage
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
"""A request that outlived its deadline: the edge has told its user, and the text must not stay."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    events: Log
    telemetry: Telemetry
    clock: Clock
    complain: Complaints = field(default_factory=Complaints)

    async def take(self, received: ReceivedMessage) -> None:
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
            event.request_id  # noqa: B018 - without one it has no place
        except MalformedEvent as error:
            self.complain("deadletter.dropped", str(error))
            return
        await self._keep(event, message, ours=ours)

    async def give_up(self, received: ReceivedMessage, why: str) -> None:
        """Nobody waits for it, and its request is known to the edge by its deadline."""

    async def _keep(self, event: Event, message: AmqpMessage, *, ours: bool) -> None:
        destination = topology.DEADLETTERS.name
        with self.telemetry.spans.process(
            Channel.DEADLETTERS,
            TracedMessage.of(event, message),
            group="bridge",
            system=names.RABBITMQ,
            destination=destination,
        ):
            if ours:
                # The worker that gave it up has counted it, and has told so in a reply of its own.
                await publish_dead_letter(event, self.events, self.telemetry)
                return
            outcome = _exhausted(message)
            await give_up(outcome, event, self.events, self.telemetry, source=SOURCE, now=self.clock.now())
            _say(outcome, event)

    async def _refuse(self, message: AmqpMessage) -> None:
        """A requester's question that no bridge could take: it has an id of its own here."""
        outcome = _exhausted(message)
        await Refusals(topology.DEADLETTERS.name, self.events, self.telemetry, self.clock).refuse(message, outcome)
        _say(outcome, message.event())


def _exhausted(message: AmqpMessage) -> GaveUp:
    """RabbitMQ gave it up: nobody has counted or told yet."""
    outcome = GaveUp.exhausted(message.attempts)
    return replace(outcome, detail=f"{outcome.detail}; RabbitMQ says {message.death[:50] or 'nothing'}")


def _say(outcome: GaveUp, event: Event) -> None:
    """Not before it is kept: while that fails it is tried again and again."""
    log.error("request.gave_up", request_id=event.subject, reason=outcome.reason, detail=outcome.detail)
