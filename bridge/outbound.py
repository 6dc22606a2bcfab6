"""Outbound: send requests of JetStream's shared pool to workers on RabbitMQ, and store their replies."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

import structlog

from bridge.awaited_replies import AwaitedReplies, AwaitedReply, WaitEnd
from bridge.codecs import SOURCE, Codec, TooLarge, check_size
from bridge.headers import MARK, TracedMessage, trace_headers
from bridge.ids import correlation_id_for
from bridge.queue_consumer import ErrorLog
from bridge.sent_requests import SentRequest, SentRequests
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

SAVE_AFTER = timedelta(seconds=0.1)
"""A request that is answered sooner is not recorded: if the bridge died before, it would only be sent again."""

BACKOFF = Backoff(first=timedelta(seconds=1))
"""Before a request that could not be sent to RabbitMQ is redelivered."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outbound:
    """A worker hosts `handle`; `handle_message` gets the replies to all requests that any bridge has sent."""

    queue: Queue
    codec: Codec
    sender: Sender
    events: Log
    sent_requests: SentRequests
    is_answered: Callable[[RequestId], Awaitable[bool]]
    telemetry: Telemetry
    clock: Clock
    random: Random
    awaited: AwaitedReplies = field(default_factory=AwaitedReplies)
    log_error: ErrorLog = field(default_factory=ErrorLog)

    async def handle(self, request: GenerationRequested, delivery: Delivery) -> Outcome:
        """Send a request to RabbitMQ; wait for half of the remaining time at most, then leave it to another attempt."""
        with self.awaited.awaiting(request.request_id) as reply:
            try:
                return await self._handle(request, delivery, reply)
            except Unsendable as error:
                return GaveUp(FailureReason.REJECTED, str(error), delivery.attempt)
            except TransportError as error:
                return Postponed(str(error), BACKOFF.pause(delivery.attempt, self.random))

    async def _handle(self, request: GenerationRequested, delivery: Delivery, reply: AwaitedReply) -> Outcome:
        key = correlation_id_for(request.request_id)
        sent = await self.sent_requests.find(key) if delivery.attempt > 1 else None
        if sent and sent.is_awaited(self.clock.now()):
            # Already sent, before a restart or by another bridge.
            reply.headers = sent.headers
        else:
            sent = await self._send(request, delivery.event, reply)
        end = await reply.wait(SAVE_AFTER)
        if end is WaitEnd.TIMED_OUT:
            await self.sent_requests.save(sent)
            # Not beyond the deadline: what was recorded before the clock was set back is an hour away.
            end = await reply.wait(min(sent.until, request.deadline) - self.clock.now())
        if end is WaitEnd.UNUSABLE:
            return GaveUp(FailureReason.REJECTED, reply.flaw, delivery.attempt)
        return await self._outcome(end, sent)

    async def _send(self, request: GenerationRequested, event: Event, reply: AwaitedReply) -> SentRequest:
        now = self.clock.now()
        remaining = request.deadline - now
        target = self.queue.name
        with self.telemetry.spans.send(Channel.REQUESTS, event, system=names.RABBITMQ, destination=target) as traced:
            reply.headers = {**trace_headers(traced.headers), **origin_headers(traced.headers)}
            message = self.codec.encode_request(traced, request, expires_in=remaining)
            await self.sender.send(target, replace(message, headers={**message.headers, MARK: "out"}))
        return SentRequest(request_id=request.request_id, until=now + remaining / 2, headers=reply.headers)

    async def _outcome(self, end: WaitEnd, sent: SentRequest) -> Outcome:
        if end is WaitEnd.STORED:
            return Relayed()
        if end is WaitEnd.PUBLISHED:
            stored = await self.is_answered(RequestId.parse(sent.request_id))
            return Relayed() if stored else Postponed("a reply was published but is not stored", timedelta(seconds=1))
        if end is WaitEnd.LOST and not self.queue.durable:
            await self.sent_requests.save(sent.model_copy(update={"until": self.clock.now()}))
        return Postponed(f"no answer from RabbitMQ ({end.value})", timedelta(0))

    async def handle_message(self, received: ReceivedMessage) -> None:
        """Store a reply; log and drop one that can't be decoded or assigned to a request. Raises TransportError."""
        message = received.message
        try:
            sent = await self._find_request(received)
            data = self.codec.decode_reply(message, sent.request_id)
            headers = {**trace_headers(sent.headers), **origin_headers(sent.headers)}
            event = check_size(Event.of(data, source=SOURCE, time=self.clock.now(), headers=headers))
        except MalformedEvent as error:
            self.log_error("reply.dropped", str(error), correlation_id=message.correlation_id[:100])
            if isinstance(error, TooLarge):
                await self.give_up(received, str(error))
            return
        await self._store(TracedMessage.of(event, message))

    async def give_up(self, received: ReceivedMessage, reason: str) -> None:
        """Fail the request if it is in flight here. Otherwise it is sent again, or becomes a dead letter."""
        with suppress(MalformedEvent):
            self.awaited.on_unusable((await self._find_request(received)).request_id, reason)

    async def _find_request(self, received: ReceivedMessage) -> SentRequest:
        message = received.message
        sent = self.codec.find_request(message) or self.awaited.find_request(message.correlation_id)
        sent = sent or await self.sent_requests.find(message.correlation_id)
        if sent is None:
            raise MalformedEvent("it answers no request that was sent, or one sent too long ago")
        return sent

    async def _store(self, reply: TracedMessage) -> None:
        spans, request_id = self.telemetry.spans, reply.event.subject
        source = self.codec.replies.name
        with (
            spans.process(Channel.REPLIES, reply, group="bridge", system=names.RABBITMQ, destination=source),
            spans.send(Channel.REPLIES, reply.event) as traced,
            self.awaited.storing(request_id),
        ):
            published = await self.events.publish(Channel.REPLIES, traced)
        if published is Published.ALREADY_THERE:
            log.info("reply.dropped", request_id=request_id, error="it is already answered")
