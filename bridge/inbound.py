"""In: what requesters ask on RabbitMQ becomes requests, and their replies go back to them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from bridge.codecs import SOURCE, Codec, TooLarge, fitting
from bridge.complaints import Complaints
from bridge.dialogue import NoQuestion
from bridge.ids import RequestOrigin, request_id_for
from bridge.outbound import MARK
from bridge.refusals import Refusals
from bridge.taken import TracedMessage, trace_of
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
"""Bytes of a body that is read at all."""

BACKOFF = Backoff(first=timedelta(seconds=1))
"""Before an answer that RabbitMQ did not take is sent again."""

GRACE = timedelta(seconds=1)
"""To finish what is in hand at the end; what is left comes again."""

COUNTED = 10_000
"""Replies whose failures are remembered."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InboundRequests:
    """From RabbitMQ's queue to JetStream."""

    queue: str
    codec: Codec
    events: Log
    deadline: timedelta
    telemetry: Telemetry
    clock: Clock
    complain: Complaints = field(default_factory=Complaints)

    async def take(self, received: ReceivedMessage) -> None:
        """Publish one request, or refuse it if it can't be one. Raises TransportError."""
        message = received.message
        try:
            event = self._read(message)
        except NoQuestion as error:
            await self._refusals().answer(message, GaveUp.malformed(str(error), 1))
            log.info("request.no_question", request_id=str(request_id_for(message)))
        except TooLarge as error:
            await self._refuse(message, _rejected(str(error)))
        except MalformedEvent as error:
            await self._refuse(message, GaveUp.malformed(str(error), 1))
        else:
            await self._publish(event, message)

    async def give_up(self, received: ReceivedMessage, why: str) -> None:
        """It becomes a dead letter, and its asker is told. Raises TransportError."""
        await self._refuse(received.message, _rejected(why))

    async def _publish(self, event: Event, message: AmqpMessage) -> None:
        spans = self.telemetry.spans
        taken = TracedMessage.of(event, message)
        with (
            spans.process(
                Channel.REQUESTS, taken, group="bridge", system=names.RABBITMQ, destination=self.queue, entry=True
            ),
            spans.send(Channel.REQUESTS, event) as traced,
        ):
            published = await self.events.publish(Channel.REQUESTS, traced)
        log.info("request.taken", request_id=event.subject, again=published is Published.ALREADY_THERE)

    def _read(self, message: AmqpMessage) -> Event:
        if MARK in message.headers:
            raise MalformedEvent(f"it came out of a bridge: requests go out and in through {self.queue!r}")
        if len(message.body) > MAX_BODY:
            raise TooLarge(f"its body has {len(message.body)} bytes, at most {MAX_BODY} are taken")
        now = self.clock.now()
        request, origin = self.codec.asked(message, deadline=now + self.deadline)
        headers = {**trace_of(message.headers), **replace(origin, asked_at=now).headers()}
        return fitting(Event.of(request, source=SOURCE, time=now, headers=headers))

    async def _refuse(self, message: AmqpMessage, outcome: GaveUp) -> None:
        self.complain("request.refused", outcome.detail, request_id=str(request_id_for(message)), queue=self.queue)
        await self._refusals().refuse(message, outcome)

    def _refusals(self) -> Refusals:
        return Refusals(self.queue, self.events, self.telemetry, self.clock)


def _rejected(why: str) -> GaveUp:
    """It may be a question, but none that can be taken."""
    return GaveUp(FailureReason.REJECTED, why, 1)


@dataclass(frozen=True, slots=True)
class InboundReplies:
    """From JetStream to whoever asked on RabbitMQ."""

    subscription: Subscription
    codec: Codec
    sender: Sender
    telemetry: Telemetry
    retrying: Retrying
    _failures: Counter[str] = field(default_factory=Counter)
    """By request id. Not the deliveries, of which an outage of RabbitMQ uses up any number."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises TransportError if this process may not."""
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
            outcome = await self._answer(delivery)
            self._count(delivery, outcome)
            await delivery.ack()
            self._failures.pop(delivery.event.subject, None)
        except (MalformedEvent, Unsendable) as error:
            await self._drop(delivery, str(error))
        except Unroutable as error:
            # A requester whose queue went with its broker's data makes it again soon.
            await self._some_times(delivery, str(error), log_throttle)
        except TransportError as error:
            retry = self._some_times if error.fault is Fault.UNKNOWN else self._again
            await retry(delivery, str(error), log_throttle)
        except Exception as error:  # noqa: BLE001 - one answer must not stop the others
            # Not the exception's text: it may hold the user's.
            await self._some_times(delivery, f"the bridge could not send it ({type(error).__name__})", log_throttle)

    async def _some_times(self, delivery: Delivery, why: str, log_throttle: LogThrottle) -> None:
        if len(self._failures) >= COUNTED:
            self._failures.clear()  # what another bridge has settled is never taken out
        self._failures[delivery.event.subject] += 1
        if self._failures[delivery.event.subject] < UNKNOWN_ATTEMPTS:
            await self._again(delivery, why, log_throttle)
        else:
            await self._drop(delivery, why)

    async def _drop(self, delivery: Delivery, why: str) -> None:
        """JetStream still has it, for whoever looks for it."""
        self._failures.pop(delivery.event.subject, None)
        log.error("answer.dropped", request_id=delivery.event.subject, error=why)
        self._count(delivery, "undeliverable")
        await _quietly(delivery.discard())

    async def _again(self, delivery: Delivery, why: str, log_throttle: LogThrottle) -> None:
        if log_throttle.due(why):
            log.warning("answer.again", request_id=delivery.event.subject, error=why)
        await _quietly(delivery.retry(BACKOFF.pause(delivery.attempt, self.retrying.random)))

    def _count(self, delivery: Delivery, outcome: str) -> None:
        """As the edge does for Telegram's questions."""
        with suppress(MalformedEvent):
            if asked_at := RequestOrigin.read(delivery.event.headers).asked_at:
                self.telemetry.metrics.record_finished(self.retrying.clock.now() - asked_at, outcome)

    async def _answer(self, delivery: Delivery) -> str:
        """Send it; the question's outcome. Raises MalformedEvent, TransportError."""
        spans, event = self.telemetry.spans, delivery.event
        group = subjects.edge_consumer(subjects.RABBITMQ_ACCOUNT)
        with spans.process(Channel.REPLIES, delivery, group=group):
            origin = RequestOrigin.read(event.headers)
            data = event.data()
            message = self.codec.answer(data, origin, time=event.time)
            with spans.send(Channel.REPLIES, event, system=names.RABBITMQ, destination=names.ANONYMOUS) as traced:
                headers = {**message.headers, **trace_of(traced.headers)}
                await self.sender.send(origin.reply_to, replace(message, headers=headers))
        return "answered" if isinstance(data, GenerationCompleted) else "failed"


async def _quietly(settling: Awaitable[None]) -> None:
    """What is not settled comes again by itself."""
    try:
        await settling
    except TransportError as error:
        log.warning("answer.unsettled", error=str(error))
