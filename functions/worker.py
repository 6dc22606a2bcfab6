"""The worker loop: fetch, handle, publish, settle. It hosts any handler on any transport."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import structlog

from events.errors import MalformedEvent, TransportError
from events.ids import RequestId
from events.runtime.clock import Clock
from events.runtime.retrying import Backoff
from events.schema import GenerationCompleted, GenerationRequested
from events.subjects import GENERATE_CONSUMER
from events.transport import MAX_FETCH_WAIT, Channel, Delivery, Log, Publisher, Subscription
from functions import outcomes
from functions.lease import kept
from functions.outcomes import Answered, GaveUp, Outcome, Postponed, Skipped
from functions.verdicts import Reject, Retry
from observability.spans import fail
from observability.telemetry import Telemetry

BACKOFF = Backoff(first=timedelta(seconds=1), most=timedelta(seconds=30))
"""Between two attempts of a request."""

Handler = Callable[[GenerationRequested], Awaitable[GenerationCompleted]]
"""Returns the answer or raises a verdict (`Retry`, `Reject`). Anything else that it raises is a passing fault."""

Handle = Callable[[GenerationRequested, Delivery], Awaitable[Outcome]]
"""What becomes of a request that is due; `answering` makes one of a handler."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`slots` requests at once; after `attempts` deliveries a request is a dead letter.

    At the end there is a `grace` to finish; what is left comes to somebody else, not before `handback` has passed.
    """

    slots: int = 1
    attempts: int = 5
    grace: timedelta = timedelta(seconds=20)
    handback: timedelta = timedelta(0)


class Worker:
    """Hosts `handle`; `answered` tells whether a request's reply exists already. Only the worker settles.

    A slot is free when the handler is done: settling goes on beside the next request, for at most as many requests as
    there are slots. `slots` stands in for the limit where the number of requests at once changes.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        subscription: Subscription,
        publisher: Publisher,
        answered: Callable[[RequestId], Awaitable[bool]],
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
        self._answered = answered
        self._source = source
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._random = random
        self._slots = slots or (lambda: limits.slots)
        self._tasks: set[asyncio.Task[None]] = set()
        self._handling: set[asyncio.Future[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is in hand, or hand it back when the grace is over."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            free = self._free()
            if free <= 0:
                await self._until_free(stopping)
                continue
            for delivery in await self._subscription.fetch(free, MAX_FETCH_WAIT):
                self._start(delivery)
        await self._subscription.leave()
        await self._drain()

    def _free(self) -> int:
        slots = self._slots()
        return min(slots - len(self._handling), 2 * slots - len(self._tasks))

    async def _until_free(self, stopping: asyncio.Future[Any]) -> None:
        """Or until the number of slots may have changed."""
        pending: set[asyncio.Future[Any]] = {stopping, *self._handling, *self._tasks}
        await asyncio.wait(pending, timeout=MAX_FETCH_WAIT.total_seconds(), return_when=asyncio.FIRST_COMPLETED)

    def _start(self, delivery: Delivery) -> None:
        handled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._process(delivery, handled))
        self._handling.add(handled)
        handled.add_done_callback(self._handling.discard)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Whatever has ended it: one that came to no handler must not keep its slot.
        task.add_done_callback(lambda _: handled.cancel())

    async def _drain(self) -> None:
        if not self._tasks:
            return
        log.info("worker.draining", in_hand=len(self._tasks))
        _, late = await asyncio.wait(self._tasks, timeout=self._limits.grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _process(self, delivery: Delivery, handled: asyncio.Future[None]) -> None:
        try:
            async with kept(delivery, self._subscription.lease, clock=self._clock):
                await self._take(delivery, handled)
        except asyncio.CancelledError:
            # The grace is over: somebody else may start.
            await delivery.retry(self._limits.handback)
            raise
        except TransportError as error:
            log.warning("worker.unsettled", request_id=delivery.event.subject, error=str(error))

    async def _take(self, delivery: Delivery, handled: asyncio.Future[None]) -> None:
        with self._telemetry.spans.process(Channel.REQUESTS, delivery, group=GENERATE_CONSUMER) as span:
            try:
                outcome = await self._outcome(delivery)
            finally:
                handled.set_result(None)
            if isinstance(outcome, GaveUp | Postponed):
                fail(span, type(outcome).__name__)
            await outcomes.settle(
                outcome,
                delivery,
                self._publisher,
                source=self._source,
                telemetry=self._telemetry,
                now=self._clock.now(),
            )

    async def _outcome(self, delivery: Delivery) -> Outcome:
        if delivery.attempt > self._limits.attempts:
            return GaveUp.exhausted(delivery.attempt - 1)
        try:
            request = delivery.event.data()
        except MalformedEvent as error:
            return GaveUp.malformed(str(error), delivery.attempt)
        if not isinstance(request, GenerationRequested):
            return GaveUp.malformed(f"{request.TYPE} is no request", delivery.attempt)
        if self._clock.now() >= request.deadline:
            return Skipped("the deadline has passed")
        if delivery.attempt > 1 and await self._answered(delivery.event.request_id):
            return Skipped("it is answered already")
        return await self._handle(request, delivery)


def answering(handler: Handler, *, clock: Clock, random: Random) -> Handle:
    """Host a handler, within the request's deadline."""

    async def handle(request: GenerationRequested, delivery: Delivery) -> Outcome:
        now = clock.now()
        queued = (now - delivery.published_at).total_seconds()
        remaining = (request.deadline - now).total_seconds()
        try:
            async with asyncio.timeout(remaining) as deadline:
                completed = await handler(request)
        except Reject as verdict:
            return GaveUp(verdict.reason, str(verdict), delivery.attempt)
        except Retry as verdict:
            return Postponed(str(verdict), max(verdict.delay, BACKOFF.pause(delivery.attempt, random)))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the loop goes on
            if isinstance(error, TimeoutError) and deadline.expired():
                return Skipped("the deadline has passed while it was handled")
            # Not the exception's text: it may hold the user's.
            why = f"the handler raised {type(error).__name__} at {_place(error)}"
            return Postponed(why, BACKOFF.pause(delivery.attempt, random))
        timings = completed.timings.model_copy(update={"queued": max(queued, 0.0)})
        return Answered(completed.model_copy(update={"timings": timings}))

    return handle


def is_answered(events: Log) -> Callable[[RequestId], Awaitable[bool]]:
    async def answered(request_id: RequestId) -> bool:
        return await events.find(Channel.REPLIES, request_id) is not None

    return answered


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
