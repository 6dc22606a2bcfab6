"""Inbound: publish requests from RabbitMQ on JetStream, and send the replies back."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from bridge.codecs import SOURCE, Codec, TooLarge, check_size
from bridge.headers import MARK, RequestOrigin, TracedMessage, trace_headers
from bridge.ids import request_id_for
from bridge.original_format import NoQuestion
from bridge.queue_consumer import ErrorLog
from bridge.refusals import Refusals
from events import subjects
from events.errors import MalformedEvent, TransportError
from events.event import Event
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage
from events.rabbitmq.sender import Sender, Unroutable, Unsendable
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Backoff, Retrying
from events.runtime.tasks import cancel
from events.schema import FailureReason, GenerationCompleted
from events.transport import MAX_FETCH_WAIT, Channel, Delivery, Log, Published, Subscription
from functions.worker.outcomes import GaveUp
from observability import names
from observability.telemetry import Telemetry

BATCH = 64

MAX_BODY = 512 * 1024
"""Largest body that is decoded, in bytes."""

BACKOFF = Backoff(first=timedelta(seconds=1))
"""Before a reply that RabbitMQ did not take is sent again."""

GRACE = timedelta(seconds=1)
"""To finish replies in flight during shutdown; unfinished ones are redelivered."""

COUNTED = 10_000
"""Replies whose failures are counted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InboundRequests:
    """Publishes the messages of a RabbitMQ queue as requests on JetStream."""

    queue: str
    codec: Codec
    events: Log
    deadline: timedelta
    telemetry: Telemetry
    clock: Clock
    log_error: ErrorLog = field(default_factory=ErrorLog)

    async def handle_message(self, received: ReceivedMessage) -> None:
        """Publish a request, or refuse a message that can't become one. Raises TransportError."""
        message = received.message
        try:
            event = self._decode(message)
        except NoQuestion as error:
            await self._refusals().fail(message, GaveUp.malformed(str(error), 1))
            log.info("request.no_question", request_id=str(request_id_for(message)))
        except TooLarge as error:
            await self._refuse(message, _rejected(str(error)))
        except MalformedEvent as error:
            await self._refuse(message, GaveUp.malformed(str(error), 1))
        else:
            await self._publish(event, message)

    async def give_up(self, received: ReceivedMessage, reason: str) -> None:
        """Refuse a message that can't be published. Raises TransportError."""
        await self._refuse(received.message, _rejected(reason))

    async def _publish(self, event: Event, message: AmqpMessage) -> None:
        spans = self.telemetry.spans
        traced_message = TracedMessage.of(event, message)
        with (
            spans.process(
                Channel.REQUESTS,
                traced_message,
                group="bridge",
                system=names.RABBITMQ,
                destination=self.queue,
                entry=True,
            ),
            spans.send(Channel.REQUESTS, event) as traced,
        ):
            published = await self.events.publish(Channel.REQUESTS, traced)
        log.info("request.taken", request_id=event.subject, again=published is Published.ALREADY_THERE)

    def _decode(self, message: AmqpMessage) -> Event:
        if MARK in message.headers:
            raise MalformedEvent(f"it was sent by a bridge: requests go out and in through {self.queue!r}")
        if len(message.body) > MAX_BODY:
            raise TooLarge(f"the body has {len(message.body)} bytes; at most {MAX_BODY} are accepted")
        now = self.clock.now()
        request, origin = self.codec.decode_request(message, deadline=now + self.deadline)
        headers = {**trace_headers(message.headers), **replace(origin, asked_at=now).headers()}
        return check_size(Event.of(request, source=SOURCE, time=now, headers=headers))

    async def _refuse(self, message: AmqpMessage, outcome: GaveUp) -> None:
        self.log_error("request.refused", outcome.detail, request_id=str(request_id_for(message)), queue=self.queue)
        await self._refusals().refuse(message, outcome)

    def _refusals(self) -> Refusals:
        return Refusals(self.queue, self.events, self.telemetry, self.clock)


def _rejected(detail: str) -> GaveUp:
    """Return the outcome of a message that may be a request, but can't be published."""
    return GaveUp(FailureReason.REJECTED, detail, 1)


@dataclass(frozen=True, slots=True)
class InboundReplies:
    """Sends the replies to inbound requests from JetStream to their requesters on RabbitMQ."""

    subscription: Subscription
    codec: Codec
    sender: Sender
    telemetry: Telemetry
    retrying: Retrying
    _failures: Counter[str] = field(default_factory=Counter)
    """By request id. Unlike deliveries, they don't count attempts during an outage of RabbitMQ."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises TransportError if the process can't go on."""
        stopping = asyncio.ensure_future(stop.wait())
        log_throttle, tasks = LogThrottle(), set[asyncio.Task[None]]()
        try:
            while not stop.is_set():
                deliveries = await self.subscription.fetch(BATCH, MAX_FETCH_WAIT)
                tasks = {asyncio.ensure_future(self._settle(delivery, log_throttle)) for delivery in deliveries}
                while tasks and not stop.is_set():
                    await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    tasks = {task for task in tasks if not task.done()}
            if tasks:
                await asyncio.wait(tasks, timeout=GRACE.total_seconds())
        finally:
            await cancel(stopping, *tasks)

    async def _settle(self, delivery: Delivery, log_throttle: LogThrottle) -> None:
        try:
            outcome = await self._send(delivery)
            self._record_outcome(delivery, outcome)
            await delivery.ack()
            self._failures.pop(delivery.event.subject, None)
        except (MalformedEvent, Unsendable) as error:
            await self._drop(delivery, str(error))
        except Unroutable as error:
            # A requester whose queue was lost with its broker's data declares it again soon.
            await self._retry_or_drop(delivery, str(error), log_throttle)
        except TransportError as error:
            retry = self._retry_or_drop if error.fault is Fault.UNKNOWN else self._retry
            await retry(delivery, str(error), log_throttle)
        except Exception as error:  # noqa: BLE001 - one reply must not stop the others
            # Without the exception's text, which may contain a user's.
            await self._retry_or_drop(delivery, f"the bridge could not send it ({type(error).__name__})", log_throttle)

    async def _retry_or_drop(self, delivery: Delivery, error: str, log_throttle: LogThrottle) -> None:
        if len(self._failures) >= COUNTED:
            self._failures.clear()  # entries of replies that another bridge has settled are never removed
        self._failures[delivery.event.subject] += 1
        if self._failures[delivery.event.subject] < UNKNOWN_ATTEMPTS:
            await self._retry(delivery, error, log_throttle)
        else:
            await self._drop(delivery, error)

    async def _drop(self, delivery: Delivery, error: str) -> None:
        """Stop trying to send a reply; JetStream still stores it."""
        self._failures.pop(delivery.event.subject, None)
        log.error("answer.dropped", request_id=delivery.event.subject, error=error)
        self._record_outcome(delivery, "undeliverable")
        await _log_failure(delivery.discard())

    async def _retry(self, delivery: Delivery, error: str, log_throttle: LogThrottle) -> None:
        if log_throttle.due(error):
            log.warning("answer.again", request_id=delivery.event.subject, error=error)
        await _log_failure(delivery.retry(BACKOFF.pause(delivery.attempt, self.retrying.random)))

    def _record_outcome(self, delivery: Delivery, outcome: str) -> None:
        """Record the metric that the edge records for questions from Telegram."""
        with suppress(MalformedEvent):
            if asked_at := RequestOrigin.read(delivery.event.headers).asked_at:
                self.telemetry.metrics.record_finished(self.retrying.clock.now() - asked_at, outcome)

    async def _send(self, delivery: Delivery) -> str:
        """Send a reply to its requester; return the request's outcome. Raises MalformedEvent, TransportError."""
        spans, event = self.telemetry.spans, delivery.event
        group = subjects.edge_consumer(subjects.RABBITMQ_ACCOUNT)
        with spans.process(Channel.REPLIES, delivery, group=group):
            origin = RequestOrigin.read(event.headers)
            data = event.data()
            message = self.codec.encode_reply(data, origin, time=event.time)
            with spans.send(Channel.REPLIES, event, system=names.RABBITMQ, destination=names.ANONYMOUS) as traced:
                headers = {**message.headers, **trace_headers(traced.headers)}
                await self.sender.send(origin.reply_to, replace(message, headers=headers))
        return "answered" if isinstance(data, GenerationCompleted) else "failed"


async def _log_failure(settling: Awaitable[None]) -> None:
    """Await a delivery's settling; log a failure, after which the delivery is redelivered."""
    try:
        await settling
    except TransportError as error:
        log.warning("answer.unsettled", error=str(error))
