"""The worker loop's promises, on the transport in memory."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from structlog.testing import capture_logs

from events.deadletters import ATTEMPTS_HEADER, REASON_HEADER
from events.event import Event
from events.ids import RequestId
from events.memory import MemoryLog, MemorySubscription
from events.runtime.clock import SystemClock
from events.schema import FailureReason, FinishReason, GenerationCompleted, GenerationFailed, GenerationRequested
from events.transport import Channel, Published
from functions.worker.loop import Limits, Worker, host_handler
from functions.worker.outcomes import Reject, Retry
from observability.spans import Spans
from observability.telemetry import noop_telemetry
from tests.clocks import SteppedClock

LEASE = timedelta(seconds=0.3)


def answer_to(request: GenerationRequested, text: str = "ответ") -> GenerationCompleted:
    return GenerationCompleted(request_id=request.request_id, text=text, finish_reason=FinishReason.STOP, model="test")


class World:
    """A log, and workers on it."""

    def __init__(self) -> None:
        self.log = MemoryLog(clock=SystemClock())
        self.requests: MemorySubscription = self.log.subscribe(Channel.REQUESTS, "generate", lease=LEASE)
        self.replies = self.log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=60))

    @asynccontextmanager
    async def worker(self, handler, *, publisher=None, telemetry=None, clock=None, **limits):
        clock = clock or SystemClock()

        async def answered(request_id: RequestId) -> bool:
            return await self.log.find(Channel.REPLIES, request_id) is not None

        stop = asyncio.Event()
        worker = Worker(
            host_handler(handler, clock=clock, random=Random(1)),
            subscription=self.requests,
            publisher=publisher or self.log,
            is_answered=answered,
            source="/test",
            limits=Limits(**{"slots": 1, "attempts": 5, "grace": timedelta(seconds=20), **limits}),
            telemetry=telemetry or noop_telemetry(),
            clock=clock,
            random=Random(1),
        )
        running = asyncio.create_task(worker.run(stop))
        try:
            yield stop
        finally:
            stop.set()
            await running

    async def reply(self, within: float = 10) -> Event:
        [delivery] = await self.replies.fetch(1, timedelta(seconds=within))
        await delivery.ack()
        return delivery.event

    async def no_reply(self, within: float = 0.2) -> None:
        assert await self.replies.fetch(1, timedelta(seconds=within)) == []

    async def ask(self, event: Event) -> None:
        await self.log.publish(Channel.REQUESTS, event)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_request_becomes_a_completed_reply(world, make_event) -> None:
    async def handler(request):
        return answer_to(request)

    async with world.worker(handler):
        await world.ask(make_event())
        data = (await world.reply()).data()
    assert isinstance(data, GenerationCompleted)
    assert data.text == "ответ"
    assert data.timings.queued >= 0


async def test_only_as_many_are_handled_at_once_as_there_are_slots(world, make_event) -> None:
    running, most, gate = 0, 0, asyncio.Event()

    async def handler(request):
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            gate.set()
        await gate.wait()
        running -= 1
        return answer_to(request)

    for number in range(9):
        await world.ask(make_event(f"1.2.{number}.0"))
    async with world.worker(handler, slots=3):
        for _ in range(9):
            await world.reply()
    assert most == 3


class SlowToConfirm:
    """A publisher whose broker confirms nothing before `confirms` is set."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.confirms = asyncio.Event()

    async def publish(self, channel: Channel, event: Event) -> Published:
        await self.confirms.wait()
        return await self._log.publish(channel, event)


async def test_the_next_request_is_handled_while_the_last_one_is_still_being_settled(world, make_event) -> None:
    publisher, calls, two = SlowToConfirm(world.log), 0, asyncio.Event()

    async def handler(request):
        nonlocal calls
        calls += 1
        if calls == 2:
            two.set()
        return answer_to(request)

    for number in range(3):
        await world.ask(make_event(f"1.2.{number}.0"))
    async with world.worker(handler, publisher=publisher), asyncio.timeout(10):
        await two.wait()
        await world.no_reply()
        # As many as there are slots may be unsettled besides those that are handled, and no more.
        assert calls == 2
        publisher.confirms.set()
        assert {(await world.reply()).subject for _ in range(3)} == {"1.2.0.0", "1.2.1.0", "1.2.2.0"}
    assert calls == 3


async def test_a_fault_before_the_handler_costs_no_slot(world, make_event) -> None:
    begun = 0

    class FaultySpans(Spans):
        def process(self, *arguments, **named):
            nonlocal begun
            begun += 1
            if begun == 1:
                raise RuntimeError("no span")
            return super().process(*arguments, **named)

    async def handler(request):
        return answer_to(request)

    quiet = noop_telemetry()
    telemetry = replace(quiet, spans=FaultySpans(quiet.tracer, quiet.metrics, measured=False))
    async with world.worker(handler, telemetry=telemetry, slots=1):
        await world.ask(make_event())
        assert (await world.reply()).data().text == "ответ"
    assert begun == 2


async def test_a_long_job_keeps_its_delivery_by_heartbeats(world, make_event) -> None:
    calls = 0

    async def handler(request):
        nonlocal calls
        calls += 1
        await asyncio.sleep(4 * LEASE.total_seconds())
        return answer_to(request)

    async with world.worker(handler):
        await world.ask(make_event())
        await world.reply()
    assert calls == 1


async def test_a_retry_verdict_brings_the_request_again(world, make_event) -> None:
    calls = 0

    async def handler(request):
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Retry("model loading", delay=timedelta(seconds=0.05))
        return answer_to(request)

    async with world.worker(handler):
        await world.ask(make_event())
        assert isinstance((await world.reply()).data(), GenerationCompleted)
    assert calls == 2


async def test_a_verdict_that_limits_its_attempts_is_final_after_them(world, make_event) -> None:
    calls = 0

    async def handler(request):
        nonlocal calls
        calls += 1
        raise Retry("nobody knows this error", delay=timedelta(0), attempts=2)

    async with world.worker(handler, attempts=100):
        await world.ask(make_event())
        failed = (await world.reply()).data()
    assert failed.reason is FailureReason.ATTEMPTS_EXHAUSTED
    assert failed.attempts == calls == 2


class SteadyClock(SystemClock):
    """Its time passes as timers count it. A wall clock may go slower for a moment, and is set."""

    def __init__(self) -> None:
        self._began = super().now() - timedelta(seconds=self.monotonic())

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.monotonic())


async def test_nothing_is_put_off_beyond_its_deadline(world, make_event) -> None:
    async def handler(request):
        raise Retry("come back in an hour", delay=timedelta(hours=1))

    with capture_logs() as logs:
        async with world.worker(handler, clock=SteadyClock()), asyncio.timeout(10):
            await world.ask(make_event(seconds=0.5))
            while not logs or logs[-1]["event"] != "request.skipped":  # noqa: ASYNC110 - logs have no event
                await asyncio.sleep(0.01)
    assert [line["event"] for line in logs] == ["request.postponed", "request.skipped"]


async def test_an_unexpected_error_is_a_passing_fault_until_the_attempts_are_used_up(world, make_event) -> None:
    calls = 0

    async def handler(request):
        nonlocal calls
        calls += 1
        raise RuntimeError("секрет пользователя")

    async with world.worker(handler, attempts=2):
        await world.ask(make_event())
        failed = (await world.reply()).data()
    assert isinstance(failed, GenerationFailed)
    assert failed.reason is FailureReason.ATTEMPTS_EXHAUSTED
    assert failed.attempts == 2
    assert calls == 2


async def test_a_request_that_kills_its_workers_ends_without_another_call(world, make_event) -> None:
    """Nobody settles it: its lease runs out each time, as when a worker is killed."""
    await world.ask(make_event())
    for _ in range(2):
        assert len(await world.requests.fetch(1, timedelta(seconds=5))) == 1

    async def handler(request):
        raise AssertionError("must not be called")

    async with world.worker(handler, attempts=2):
        assert (await world.reply()).data().reason is FailureReason.ATTEMPTS_EXHAUSTED


async def test_a_rejected_request_is_a_dead_letter_with_its_reason_and_own_headers(world, make_event) -> None:
    async def handler(request):
        raise Reject("too long for this model")

    async with world.worker(handler):
        await world.ask(make_event(headers={"x-origin": "test"}))
        failed = (await world.reply()).data()
    assert failed.reason is FailureReason.REJECTED
    dead = await world.log.find(Channel.DEADLETTERS, RequestId("1", "2", "3"))
    assert dead.data() == make_event().data().model_copy(update={"deadline": dead.data().deadline})
    assert dead.headers["x-origin"] == "test"
    assert dead.headers[REASON_HEADER] == "rejected"
    assert dead.headers[ATTEMPTS_HEADER] == "1"


async def test_a_body_that_cannot_be_read_is_a_dead_letter_and_the_next_request_works(world, make_event) -> None:
    async def handler(request):
        return answer_to(request)

    broken = make_event("1.2.1.0")
    await world.ask(Event(broken.id, broken.type, broken.source, broken.subject, broken.time, b"\xff{", {}))
    await world.ask(make_event("1.2.2.0"))
    async with world.worker(handler):
        replies = [await world.reply(), await world.reply()]
    reasons = {reply.subject: getattr(reply.data(), "reason", None) for reply in replies}
    assert reasons == {"1.2.1.0": FailureReason.MALFORMED, "1.2.2.0": None}


async def test_a_request_past_its_deadline_is_skipped(world, make_event) -> None:
    async def handler(request):
        raise AssertionError("must not be called")

    async with world.worker(handler):
        await world.ask(make_event(seconds=-1))
        await world.no_reply()
    assert await world.log.find(Channel.DEADLETTERS, RequestId("1", "2", "3")) is None


async def test_the_handler_is_stopped_at_the_deadline(world, make_event) -> None:
    stopped = asyncio.Event()

    async def handler(request):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise

    async with world.worker(handler):
        await world.ask(make_event(seconds=0.2))
        async with asyncio.timeout(10):
            await stopped.wait()
        await world.no_reply()


async def test_a_redelivered_request_that_was_answered_is_skipped(world, make_event) -> None:
    await world.ask(make_event())
    await world.requests.fetch(1, timedelta(seconds=5))
    await world.log.publish(
        Channel.REPLIES, Event.of(answer_to(make_event().data()), source="/other", time=datetime.now(UTC))
    )
    await world.reply()

    async def handler(request):
        raise AssertionError("must not be called")

    async with world.worker(handler):
        await world.no_reply(within=1)


async def test_a_request_that_was_answered_is_no_dead_letter_once_its_attempts_are_used_up(world, make_event) -> None:
    """It comes again and again if its acknowledgements are lost."""

    async def handler(request):
        raise AssertionError("its attempts are used up")

    answered, other = make_event(), make_event("1.2.4.0")
    await world.log.publish(Channel.REPLIES, Event.of(answer_to(answered.data()), source="/t", time=datetime.now(UTC)))
    for event in (answered, other):
        world.requests.put(event, attempt=6)
    async with world.worker(handler):
        assert isinstance((await world.reply()).data(), GenerationCompleted)
        assert isinstance((await world.reply()).data(), GenerationFailed)
    assert await world.log.find(Channel.DEADLETTERS, other.request_id)
    assert await world.log.find(Channel.DEADLETTERS, answered.request_id) is None


async def test_a_request_of_a_bridge_that_was_answered_in_time_is_no_dead_letter_when_it_comes_again(
    world, make_event
) -> None:
    event = make_event(seconds=-1, headers={"timokha-origin-reply-to": "q"})
    await world.log.publish(Channel.REPLIES, Event.of(answer_to(event.data()), source="/other", time=datetime.now(UTC)))
    await world.reply()

    async def handler(request):
        raise AssertionError("must not be called")

    with capture_logs() as logs:
        async with world.worker(handler), asyncio.timeout(10):
            world.requests.put(event, attempt=2)
            while "request.skipped" not in [line["event"] for line in logs]:  # noqa: ASYNC110 - logs have no event
                await asyncio.sleep(0.01)
    assert await world.log.find(Channel.DEADLETTERS, event.request_id) is None


async def test_stopping_finishes_what_is_in_hand(world, make_event) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def handler(request):
        started.set()
        await may_end.wait()
        return answer_to(request)

    async with world.worker(handler) as stop:
        await world.ask(make_event())
        await started.wait()
        stop.set()
        may_end.set()
    assert isinstance((await world.reply()).data(), GenerationCompleted)


async def test_what_is_not_finished_within_the_grace_is_handed_back(world, make_event) -> None:
    started = asyncio.Event()

    async def handler(request):
        started.set()
        await asyncio.sleep(60)

    async with world.worker(handler, grace=timedelta(seconds=0.05)) as stop:
        await world.ask(make_event())
        await started.wait()
        stop.set()
    [again] = await world.requests.fetch(1, timedelta(seconds=5))
    assert again.attempt == 2


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=str)
async def test_a_worker_whose_clock_is_wrong_answers_within_the_deadline(world, make_event, ahead) -> None:
    left = []

    async def handler(request):
        left.append(request.deadline - clock.now())
        return answer_to(request)

    clock = SteppedClock(ahead)
    with capture_logs() as logs:
        async with world.worker(handler, clock=clock):
            await world.ask(make_event(seconds=30))
            assert isinstance((await world.reply()).data(), GenerationCompleted)
    assert timedelta(0) < left[0] <= timedelta(seconds=30)
    [line] = [line for line in logs if line["event"] == "worker.clock_off"]
    assert line["seconds"] == pytest.approx(ahead.total_seconds(), abs=5)


async def test_a_worker_whose_clock_is_wrong_skips_a_request_that_is_over(world, make_event) -> None:
    async def handler(request):
        raise AssertionError("it has no time left")

    with capture_logs() as logs:
        async with world.worker(handler, clock=SteppedClock(timedelta(hours=1))), asyncio.timeout(10):
            await world.ask(make_event(seconds=0))
            while not logs:  # noqa: ASYNC110 - logs have no event
                await asyncio.sleep(0.01)
    assert [line["event"] for line in logs] == ["request.skipped"]


async def test_what_has_no_time_of_publication_is_due_at_its_deadline(world, make_event) -> None:
    async def handler(request):
        raise AssertionError("its deadline has passed")

    with capture_logs() as logs:
        async with world.worker(handler), asyncio.timeout(10):
            await world.ask(replace(make_event(seconds=0), time=datetime.fromtimestamp(0, UTC)))
            while not logs:  # noqa: ASYNC110 - logs have no event
                await asyncio.sleep(0.01)
    assert [line["event"] for line in logs] == ["request.skipped"]
