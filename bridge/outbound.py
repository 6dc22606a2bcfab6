"""Out: requests of JetStream's shared pool go to workers on RabbitMQ, and their replies come back."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

import structlog

from bridge.awaited_replies import AwaitedReplies, AwaitedReply, WaitEnd
from bridge.codecs import SOURCE, Codec, TooLarge, fitting
from bridge.complaints import Complaints
from bridge.ids import correlation
from bridge.sent_requests import SentRequest, SentRequests
from bridge.taken import TracedMessage, trace_of
from events.errors import MalformedEvent, TransportError
from events.event import Event
from events.ids import RequestId
from events.rabbitmq.receiver import ReceivedMessage
from events.rabbitmq.sender import Sender, Unsendable
from events.rabbitmq.topology import Queue
from events.runtime.clock import Clock
from events.runtime.retrying import Backoff
from events.schema import FailureReason, GenerationRequested
from events.transport import Channel, Delivery, Log, Published
from functions.worker.outcomes import GaveUp, Outcome, Postponed, Relayed
from functions.worker.settling import origin_headers
from observability import names
from observability.telemetry import Telemetry

NOTE_AFTER = timedelta(seconds=0.1)
"""A request that is answered sooner needs no note: were the bridge to die meanwhile, it would only be asked again."""

BACKOFF = Backoff(first=timedelta(seconds=1))
"""Until a request that could not be sent to RabbitMQ is tried again, by whoever gets it."""

MARK = "timokha-bridge"
"""Header of everything that goes out; a bridge refuses to take it in again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outbound:
    """`handle` is hosted by a worker; `take` gets the replies of everything that was ever sent."""

    queue: Queue
    codec: Codec
    sender: Sender
    events: Log
    notes: SentRequests
    is_answered: Callable[[RequestId], Awaitable[bool]]
    telemetry: Telemetry
    clock: Clock
    random: Random
    waiting: AwaitedReplies = field(default_factory=AwaitedReplies)
    complain: Complaints = field(default_factory=Complaints)

    async def handle(self, request: GenerationRequested, delivery: Delivery) -> Outcome:
        """Ask RabbitMQ's workers; wait for at most half of the time that is left, then let somebody else try."""
        with self.waiting.open(request.request_id) as wait:
            try:
                return await self._handle(request, delivery, wait)
            except Unsendable as error:
                return GaveUp(FailureReason.REJECTED, str(error), delivery.attempt)
            except TransportError as error:
                return Postponed(str(error), BACKOFF.pause(delivery.attempt, self.random))

    async def _handle(self, request: GenerationRequested, delivery: Delivery, wait: AwaitedReply) -> Outcome:
        note = await self.notes.find(correlation(request.request_id)) if delivery.attempt > 1 else None
        if note and note.valid(self.clock.now()):
            # Asked before a restart, or by another bridge: once is enough.
            wait.headers = note.headers
        else:
            note = await self._ask(request, delivery.event, wait)
        end = await wait.end(NOTE_AFTER)
        if end is WaitEnd.TIMED_OUT:
            await self.notes.keep(note)
            end = await wait.end(note.until - self.clock.now())
        if end is WaitEnd.UNUSABLE:
            return GaveUp(FailureReason.REJECTED, wait.why, delivery.attempt)
        return await self._outcome(end, note)

    async def _ask(self, request: GenerationRequested, event: Event, wait: AwaitedReply) -> SentRequest:
        now = self.clock.now()
        remaining = request.deadline - now
        target = self.queue.name
        with self.telemetry.spans.send(Channel.REQUESTS, event, system=names.RABBITMQ, destination=target) as traced:
            wait.headers = {**trace_of(traced.headers), **origin_headers(traced.headers)}
            message = self.codec.ask(traced, request, expires_in=remaining)
            await self.sender.send(target, replace(message, headers={**message.headers, MARK: "out"}))
        return SentRequest(request_id=request.request_id, until=now + remaining / 2, headers=wait.headers)

    async def _outcome(self, end: WaitEnd, note: SentRequest) -> Outcome:
        if end is WaitEnd.STORED:
            return Relayed()
        if end is WaitEnd.HEARD:
            stored = await self.is_answered(RequestId.parse(note.request_id))
            return Relayed() if stored else Postponed("a reply was heard of that is not stored", timedelta(seconds=1))
        if end is WaitEnd.LOST and not self.queue.durable:
            await self.notes.keep(note.model_copy(update={"until": self.clock.now()}))
        return Postponed(f"no answer from RabbitMQ ({end.value})", timedelta(0))

    async def take(self, received: ReceivedMessage) -> None:
        """Store one reply; what can't be read or placed is dropped with a log line. Raises TransportError."""
        message = received.message
        try:
            note = await self._about(received)
            data = self.codec.answered(message, note.request_id)
            headers = {**trace_of(note.headers), **origin_headers(note.headers)}
            event = fitting(Event.of(data, source=SOURCE, time=self.clock.now(), headers=headers))
        except MalformedEvent as error:
            self.complain("reply.dropped", str(error), correlation_id=message.correlation_id[:100])
            if isinstance(error, TooLarge):
                await self.give_up(received, str(error))
            return
        await self._store(TracedMessage.of(event, message))

    async def give_up(self, received: ReceivedMessage, why: str) -> None:
        """Its request fails at once if it is in hand here. Elsewhere it is asked again, or becomes a dead letter."""
        with suppress(MalformedEvent):
            self.waiting.unusable((await self._about(received)).request_id, why)

    async def _about(self, received: ReceivedMessage) -> SentRequest:
        message = received.message
        note = self.codec.about(message) or self.waiting.note(message.correlation_id)
        note = note or await self.notes.find(message.correlation_id)
        if note is None:
            raise MalformedEvent("nobody has asked for it, or too long ago")
        return note

    async def _store(self, reply: TracedMessage) -> None:
        spans, request_id = self.telemetry.spans, reply.event.subject
        source = self.codec.replies.name
        with (
            spans.process(Channel.REPLIES, reply, group="bridge", system=names.RABBITMQ, destination=source),
            spans.send(Channel.REPLIES, reply.event) as traced,
            self.waiting.storing(request_id),
        ):
            published = await self.events.publish(Channel.REPLIES, traced)
        if published is Published.ALREADY_THERE:
            log.info("reply.dropped", request_id=request_id, error="it is answered already")
