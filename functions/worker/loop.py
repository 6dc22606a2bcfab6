"""The worker loop: fetch, handle, publish, settle. It hosts any handler on any transport."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import structlog

from events.errors import MalformedEvent, TransportError
from events.ids import RequestId
from events.runtime.clock import Clock
from events.runtime.retrying import Backoff, Pauses
from events.runtime.tasks import cancel, finish, within
from events.schema import FailureReason, GenerationCompleted, GenerationRequested
from events.subjects import GENERATE_CONSUMER
from events.transport import MAX_FETCH_WAIT, Channel, Delivery, Log, Publisher, Subscription
from functions.worker.deadlines import Deadlines
from functions.worker.in_flight import CANCEL_TIMEOUT, HAND_BACK_TIMEOUT, InFlight
from functions.worker.outcomes import Answered, GaveUp, Outcome, Postponed, Reject, Retry, Skipped
from functions.worker.settling import settle
from observability.spans import mark_failed
from observability.telemetry import Telemetry

BACKOFF = Backoff(first=timedelta(seconds=1), most=timedelta(seconds=30))
"""Between two attempts at a request."""

SHORT_FETCH = MAX_FETCH_WAIT.total_seconds() / 2
"""Seconds. A fetch that returns nothing sooner did not wait; the next one backs off."""
EMPTY_FETCH_BACKOFF = Backoff(first=timedelta(seconds=0.05), most=timedelta(seconds=1))

LAST_FETCH_TIMEOUT = timedelta(seconds=1.5)
"""During shutdown, for the fetch in flight, which waits for `MAX_FETCH_WAIT`."""
LEAVE_TIMEOUT = timedelta(seconds=2.5)
"""During shutdown, to leave the subscription."""

Handler = Callable[[GenerationRequested], Awaitable[GenerationCompleted]]
"""Returns the answer or raises a verdict (`Retry`, `Reject`). Any other exception counts as a passing fault."""

DeliveryHandler = Callable[[GenerationRequested, Delivery], Awaitable[Outcome]]
"""Returns the outcome of a request that is due; `host_handler` makes one of a handler."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`slots` requests at once; after `attempts` deliveries a request is given up.

    During shutdown requests have `grace` to finish. What is left is redelivered, after `handback` at the earliest.
    """

    slots: int
    attempts: int
    grace: timedelta
    handback: timedelta = timedelta(0)


class Worker:
    """Hosts `handle`; only the worker settles deliveries. `is_answered` returns whether a request has a reply already.

    `slots` replaces the limit where the number of requests at once changes.
    """

    def __init__(
        self,
        handle: DeliveryHandler,
        *,
        subscription: Subscription,
        publisher: Publisher,
        is_answered: Callable[[RequestId], Awaitable[bool]],
        source: str,
        limits: Limits,
        telemetry: Telemetry,
        clock: Clock,
        random: Random,
        slots: Callable[[], int] | None = None,
    ) -> None:
        self._handle = handle
        self._subscription = subscription
        self._publisher = publisher
        self._is_answered = is_answered
        self._source = source
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._random = random
        self._slots = slots or (lambda: limits.slots)
        self._in_flight = InFlight()
        self._deadlines = Deadlines(clock)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is in flight within the grace, and hand back the rest.

        If cancelled, hand back at once. Raises TransportError if the broker will never deliver anything.
        """
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(self._in_flight.wake)
        fetching = asyncio.ensure_future(self._fetch_until(stopping))
        try:
            await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await self._drain(fetching)
        finally:
            limit = CANCEL_TIMEOUT + 2 * HAND_BACK_TIMEOUT
            await finish(limit, self._in_flight.hand_back(self._limits.handback, fetching, stopping))

    async def _fetch_until(self, stopping: asyncio.Future[Any]) -> None:
        pauses = Pauses(EMPTY_FETCH_BACKOFF, self._random)
        while not stopping.done():
            free = self._in_flight.free(self._slots())
            if free <= 0:
                await self._in_flight.until_free()
                continue
            began = self._clock.monotonic()
            fetched = await self._subscription.fetch(free, MAX_FETCH_WAIT)
            for delivery in fetched:
                self._in_flight.start(delivery, self._process)
            if fetched or self._clock.monotonic() - began >= SHORT_FETCH:
                pauses.reset()
            else:
                await self._clock.sleep(pauses.next())

    async def _drain(self, fetching: asyncio.Task[None]) -> None:
        """Stop fetching, and let what is in flight finish."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.grace.total_seconds()
        # Not cancelled: a delivery on its way would be lost until its lease expires.
        await asyncio.wait({fetching}, timeout=LAST_FETCH_TIMEOUT.total_seconds())
        if fetching.done():
            fetching.result()
        with suppress(OSError):  # a time-out, or the client gives up the connection
            for delivery in await within(LEAVE_TIMEOUT, self._subscription.leave(last_attempt=self._limits.attempts)):
                self._in_flight.start(delivery, self._process)
        if self._in_flight:
            log.info("worker.draining", in_hand=len(self._in_flight))
        await self._in_flight.until_settled(end - loop.time())

    async def _process(self, delivery: Delivery, handled: Callable[[], None]) -> None:
        try:
            async with renewed_lease(delivery, self._subscription.lease, clock=self._clock):
                await self._handle_and_settle(delivery, handled)
        except TransportError as error:
            log.warning("worker.unsettled", request_id=delivery.event.subject, error=str(error))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one delivery, the loop goes on
            # Without the exception's text, which may contain a user's.
            text = f"{type(error).__name__} at {_location(error)}"
            log.error("worker.failed", request_id=delivery.event.subject, error=text)

    async def _handle_and_settle(self, delivery: Delivery, handled: Callable[[], None]) -> None:
        with self._telemetry.spans.process(Channel.REQUESTS, delivery, group=GENERATE_CONSUMER) as span:
            try:
                outcome = await self._outcome(delivery)
            finally:
                handled()
            if isinstance(outcome, GaveUp | Postponed):
                mark_failed(span, type(outcome).__name__)
            await settle(
                outcome,
                delivery,
                self._publisher,
                source=self._source,
                telemetry=self._telemetry,
                now=self._clock.now(),
            )

    async def _outcome(self, delivery: Delivery) -> Outcome:
        if delivery.attempt > self._limits.attempts:
            return await self._exhausted(delivery)
        try:
            request = delivery.event.data()
        except MalformedEvent as error:
            return GaveUp.malformed(str(error), delivery.attempt)
        if not isinstance(request, GenerationRequested):
            return GaveUp.malformed(f"{request.TYPE} is not a request", delivery.attempt)
        try:
            due = await self._unless_over(request, delivery)
        except TransportError as error:
            return Postponed(str(error), BACKOFF.pause(delivery.attempt, self._random))
        return due if isinstance(due, Skipped) else await self._handle(due, delivery)

    async def _exhausted(self, delivery: Delivery) -> Outcome:
        """Give it up, unless it is answered and comes again because its acknowledgements were lost."""
        try:
            answered = await self._is_answered(delivery.event.request_id)
        except MalformedEvent:
            answered = False
        except TransportError as error:
            return Postponed(str(error), BACKOFF.pause(delivery.attempt, self._random))
        return Skipped("it is already answered") if answered else GaveUp.exhausted(delivery.attempt - 1)

    async def _unless_over(self, request: GenerationRequested, delivery: Delivery) -> GenerationRequested | Skipped:
        """Return the request, its deadline by our clock, or why it is over. Raises TransportError."""
        if delivery.attempt > 1 and await self._is_answered(delivery.event.request_id):
            return Skipped("it is already answered")
        request = await self._deadlines.by_own_clock(request, delivery)
        if self._clock.now() >= request.deadline:
            return Skipped("its deadline has passed", expired=True)
        return request


@asynccontextmanager
async def renewed_lease(delivery: Delivery, lease: timedelta, *, clock: Clock) -> AsyncIterator[None]:
    """Inside, renew the lease every third of its length, so that one lost renewal does not lose the delivery."""
    interval = lease / 3
    renewing: list[asyncio.Task[None]] = []
    # A timer starts the task: most deliveries are settled earlier, and a timer is cheaper.
    timer = asyncio.get_running_loop().call_later(
        interval.total_seconds(), lambda: renewing.append(asyncio.create_task(_renew(delivery, interval, clock)))
    )
    try:
        yield
    finally:
        timer.cancel()
        if renewing:
            await cancel(*renewing)


async def _renew(delivery: Delivery, interval: timedelta, clock: Clock) -> None:
    while True:
        try:
            await delivery.extend()
        except TransportError as error:
            log.warning("lease.not_renewed", request_id=delivery.event.subject, error=str(error))
        await clock.sleep(interval)


def host_handler(handler: Handler, *, clock: Clock, random: Random) -> DeliveryHandler:
    """Return a function that calls `handler` within the request's deadline and turns verdicts into outcomes."""

    def pause(request: GenerationRequested, delivery: Delivery, least: timedelta = timedelta(0)) -> timedelta:
        """Return the pause before a retry: at most until the deadline, when the request is skipped."""
        left = max(request.deadline - clock.now(), timedelta(0))
        return min(max(least, BACKOFF.pause(delivery.attempt, random)), left)

    async def handle(request: GenerationRequested, delivery: Delivery) -> Outcome:
        now = clock.now()
        queued = (now - delivery.published_at).total_seconds()
        remaining = request.deadline - now
        try:
            completed = await within(remaining, handler(request))
        except Reject as verdict:
            return GaveUp(verdict.reason, str(verdict), delivery.attempt)
        except Retry as verdict:
            if verdict.attempts is not None and delivery.attempt >= verdict.attempts:
                return GaveUp(FailureReason.ATTEMPTS_EXHAUSTED, str(verdict), delivery.attempt)
            return Postponed(str(verdict), pause(request, delivery, verdict.delay))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the loop goes on
            if isinstance(error, TimeoutError) and clock.now() >= request.deadline:
                return Skipped("its deadline passed while it was handled", expired=True)
            # Without the exception's text, which may contain a user's.
            detail = f"the handler raised {type(error).__name__} at {_location(error)}"
            return Postponed(detail, pause(request, delivery))
        timings = completed.timings.model_copy(update={"queued": max(queued, 0.0)})
        return Answered(completed.model_copy(update={"timings": timings}))

    return handle


def reply_lookup(events: Log) -> Callable[[RequestId], Awaitable[bool]]:
    """Return a function that returns whether a request's reply is stored. It raises TransportError."""

    async def is_answered(request_id: RequestId) -> bool:
        return await events.find(Channel.REPLIES, request_id) is not None

    return is_answered


def _location(error: BaseException) -> str:
    """Return file and line where an exception was raised."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
