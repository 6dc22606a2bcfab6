"""A worker ends when it is told to, whatever its handler, its lease, its subscription and the broker do."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from structlog.testing import capture_logs

from events.errors import TransportError
from events.memory import MemoryDelivery, MemoryLog, MemorySubscription
from events.runtime.clock import SystemClock
from events.schema import FinishReason, GenerationCompleted
from events.transport import Channel
from functions.worker.loop import Limits, Worker, host_handler
from observability.telemetry import noop_telemetry

AT_ONCE = timedelta(0)


async def deaf(losses: float = 1, until: asyncio.Event | None = None) -> None:
    """Loses so many cancellations, as `asyncio.wait_for` does until Python 3.12."""
    until = until or asyncio.Event()
    while not until.is_set():
        try:
            await until.wait()
        except asyncio.CancelledError:
            losses -= 1
            if losses < 0:
                raise


class World:
    """A log, a subscription that a test spoils, and a worker on it."""

    def __init__(self) -> None:
        self.log = MemoryLog(clock=SystemClock())
        self.requests: MemorySubscription = self.log.subscribe(
            Channel.REQUESTS, "generate", lease=timedelta(seconds=60)
        )
        self.replies = self.log.subscribe(Channel.REPLIES, "edge-1", lease=timedelta(seconds=60))
        self.asked = asyncio.Event()

    async def answer(self, request) -> GenerationCompleted:
        self.asked.set()
        return GenerationCompleted(
            request_id=request.request_id, text="да", finish_reason=FinishReason.STOP, model="test"
        )

    @asynccontextmanager
    async def worker(self, handler, *, answered=None, clock=None, **limits):
        async def never(request_id) -> bool:
            return False

        self.stop = asyncio.Event()
        worker = Worker(
            host_handler(handler, clock=SystemClock(), random=Random(1)),
            subscription=self.requests,
            publisher=self.log,
            is_answered=answered or never,
            source="/test",
            limits=Limits(**{"slots": 1, "attempts": 5, "grace": AT_ONCE, **limits}),
            telemetry=noop_telemetry(),
            clock=clock or SystemClock(),
            random=Random(1),
        )
        running = asyncio.create_task(worker.run(self.stop))
        try:
            yield running
        finally:
            self.stop.set()
            await asyncio.wait({running}, timeout=10)
            assert running.done(), "the worker goes on"

    async def handed_back(self, within: float = 5) -> MemoryDelivery:
        [delivery] = await self.requests.fetch(1, timedelta(seconds=within))
        return delivery


@pytest.fixture
def world() -> World:
    return World()


async def test_a_renewal_that_loses_its_cancellation_does_not_keep_the_slot(world, make_event, monkeypatch) -> None:
    extending = asyncio.Event()

    async def extend(delivery) -> None:
        extending.set()
        await deaf()

    async def handler(request):
        extending.clear()
        await extending.wait()
        return await world.answer(request)

    monkeypatch.setattr(MemoryDelivery, "extend", extend)
    world.requests.lease = timedelta(seconds=0.1)
    for number in range(3):
        await world.log.publish(Channel.REQUESTS, make_event(f"1.2.{number}.0"))
    async with world.worker(handler, grace=timedelta(seconds=5)):
        for _ in range(3):
            assert await world.replies.fetch(1, timedelta(seconds=10))


async def test_a_handler_that_loses_its_cancellation_at_the_deadline_frees_its_slot(world, make_event) -> None:
    async def handler(request):
        if request.message_id == "1":
            await deaf()
        return await world.answer(request)

    await world.log.publish(Channel.REQUESTS, make_event("1.2.1.0", seconds=0.2))
    await world.log.publish(Channel.REQUESTS, make_event("1.2.2.0"))
    async with world.worker(handler, slots=1):
        [reply] = await world.replies.fetch(1, timedelta(seconds=10))
    assert reply.event.subject == "1.2.2.0"


@pytest.mark.parametrize("losses", [1, float("inf")])
async def test_what_a_handler_does_not_let_go_is_handed_back(world, make_event, losses) -> None:
    test_is_over = asyncio.Event()

    async def handler(request):
        world.asked.set()
        await deaf(losses, test_is_over)

    await world.log.publish(Channel.REQUESTS, make_event())
    async with world.worker(handler) as running:
        await world.asked.wait()
        world.stop.set()
        await asyncio.wait({running}, timeout=10)
        assert running.done()
        assert (await world.handed_back()).attempt == 2
    test_is_over.set()


async def test_a_worker_that_is_cancelled_hands_back_at_once(world, make_event) -> None:
    async def handler(request):
        world.asked.set()
        await deaf()

    await world.log.publish(Channel.REQUESTS, make_event())
    async with world.worker(handler, grace=timedelta(seconds=60)) as running:
        await world.asked.wait()
        running.cancel()
        await asyncio.wait({running}, timeout=10)
        assert running.cancelled()
        assert (await world.handed_back()).attempt == 2


async def test_a_worker_whose_grace_is_cut_short_by_cancellations_hands_back_all_the_same(world, make_event) -> None:
    async def handler(request):
        world.asked.set()
        await deaf(3)

    await world.log.publish(Channel.REQUESTS, make_event())
    async with world.worker(handler, grace=timedelta(seconds=60)) as running:
        await world.asked.wait()
        world.stop.set()
        for _ in range(20):
            running.cancel()
            await asyncio.wait({running}, timeout=0.1)
        assert (await world.handed_back()).attempt == 2


async def test_a_broker_that_takes_nothing_back_does_not_keep_the_worker(world, make_event, monkeypatch) -> None:
    async def never(*_, **__) -> None:
        await deaf()

    async def handler(request):
        world.asked.set()
        await deaf()

    await world.log.publish(Channel.REQUESTS, make_event())
    async with world.worker(handler):
        await world.asked.wait()
        monkeypatch.setattr(MemoryDelivery, "retry", never)
        monkeypatch.setattr(MemorySubscription, "leave", never)
        monkeypatch.setattr(MemorySubscription, "fetch", never)


async def test_a_fetch_that_is_refused_ends_the_worker_and_hands_back(world, make_event, monkeypatch) -> None:
    async def handler(request):
        world.asked.set()
        await deaf()

    async def refused(*_):
        raise TransportError("this user may not")

    await world.log.publish(Channel.REQUESTS, make_event())
    fetch = MemorySubscription.fetch
    async with world.worker(handler, slots=2) as running:
        await world.asked.wait()
        monkeypatch.setattr(MemorySubscription, "fetch", refused)
        await asyncio.wait({running}, timeout=10)
        assert running.done()
        with pytest.raises(TransportError, match="may not"):
            running.result()
        monkeypatch.setattr(MemorySubscription, "fetch", fetch)
        assert (await world.handed_back()).attempt == 2


async def test_the_last_attempt_at_a_request_that_comes_while_the_worker_leaves_is_made(
    world, make_event, monkeypatch
) -> None:
    async def leave(subscription: MemorySubscription, *, last_attempt: int):
        subscription.put(make_event(), attempt=last_attempt)
        return await subscription.fetch(1, timedelta(seconds=5))

    monkeypatch.setattr(MemorySubscription, "leave", leave)
    async with world.worker(world.answer, attempts=3, grace=timedelta(seconds=5)) as running:
        world.stop.set()
        await asyncio.wait({running}, timeout=10)
    assert world.asked.is_set()
    [reply] = await world.replies.fetch(1, timedelta(seconds=10))
    assert isinstance(reply.event.data(), GenerationCompleted)


class Counting(SystemClock):
    """Sleeps for no time, and notes for how long it should have."""

    def __init__(self, enough: int) -> None:
        self.slept: list[timedelta] = []
        self.enough = asyncio.Event()
        self._enough = enough

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        if len(self.slept) >= self._enough:
            self.enough.set()
        await asyncio.sleep(0)


async def test_a_subscription_that_brings_nothing_at_once_is_asked_again_after_growing_pauses(
    world, monkeypatch
) -> None:
    fetched, clock = 0, Counting(10)

    async def hollow(*_):
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0)
        return []

    monkeypatch.setattr(MemorySubscription, "fetch", hollow)
    async with world.worker(world.answer, clock=clock), asyncio.timeout(10):
        await clock.enough.wait()
        assert fetched <= len(clock.slept)
        assert clock.slept[0] < clock.slept[2] < clock.slept[9]


async def test_a_look_up_that_fails_is_tried_again_later(world, make_event) -> None:
    looked = 0

    async def answered(request_id) -> bool:
        nonlocal looked
        looked += 1
        if looked == 1:
            raise TransportError("nobody answers")
        return False

    world.requests.put(make_event(), attempt=2)
    async with world.worker(world.answer, answered=answered):
        assert await world.replies.fetch(1, timedelta(seconds=10))
    assert looked == 2


async def test_a_fault_of_ours_is_logged_without_what_it_says(world, make_event, monkeypatch) -> None:
    async def faulty(*_) -> None:
        raise RuntimeError("секрет")

    monkeypatch.setattr(MemoryDelivery, "ack", faulty)
    with capture_logs() as logs:
        async with world.worker(world.answer):
            await world.log.publish(Channel.REQUESTS, make_event())
            assert await world.replies.fetch(1, timedelta(seconds=10))
    [failed] = [line for line in logs if line["event"] == "worker.failed"]
    assert failed["error"].startswith("RuntimeError at ")
    assert "секрет" not in str(logs)
