"""What has gone on RabbitMQ is made again, or the process is told to end: on a clock of the test's own."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

import pytest
from aio_pika.abc import AbstractRobustChannel, AbstractRobustConnection
from structlog.testing import capture_logs

from events.errors import TransportError
from events.faults import Fault
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.faults import RequestRefused
from events.rabbitmq.receiver import Receiver
from events.rabbitmq.topology import Queue
from events.rabbitmq.upkeep import LONG_PATIENCE, PATIENCE, Upkeep
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel


class ManualClock:
    def __init__(self) -> None:
        self.passed = 0.0
        self.slept = 0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, duration: timedelta) -> None:
        """Here a second passes at each look, and no other time."""
        self.slept += 1
        await asyncio.sleep(0)


class Look:
    """Each time it is looked, `outcome` comes of it, and a second passes."""

    def __init__(self, clock: ManualClock, outcome: bool | Exception) -> None:
        self.count = 0
        self.outcome = outcome
        self._clock = clock

    async def __call__(self) -> bool:
        self.count += 1
        self._clock.passed += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def looked(outcome: bool | Exception, times: int, *, up: bool = True) -> tuple[Upkeep, Look]:
    clock = ManualClock()
    upkeep, look = Upkeep(clock, lambda: up), Look(clock, outcome)
    upkeep.keep("q", look)
    running = asyncio.create_task(upkeep.run())
    for _ in range(times):
        upkeep.wake()
        for _ in range(10):
            await asyncio.sleep(0)
    await cancel(running)
    return upkeep, look


PASSING = RequestRefused("q is not there yet", Fault.PASSING)
FATAL = RequestRefused("q may not be made", Fault.FATAL)


@pytest.mark.parametrize(
    ("error", "patience"), [(FATAL, PATIENCE), (KeyError("q"), PATIENCE), (PASSING, LONG_PATIENCE)]
)
async def test_the_process_ends_when_something_can_not_be_made_for_a_while(error, patience) -> None:
    seconds = int(patience.total_seconds())
    early, _ = await looked(error, seconds)
    early.check()
    late, _ = await looked(error, seconds + 2)
    with pytest.raises(TransportError, match="q"):
        late.check()
    with pytest.raises(TransportError, match="q"):
        await late.failure()


@pytest.mark.parametrize(
    ("outcome", "up", "lacking"),
    [
        (FATAL, True, "RabbitMQ lacks q"),
        (PASSING, True, "RabbitMQ lacks q"),
        (True, True, ""),
        (False, True, ""),
        (FATAL, False, ""),
    ],
)
async def test_what_can_not_be_made_yet_is_known(outcome, up, lacking) -> None:
    """Of a broker that is away nothing is known."""
    upkeep, _ = await looked(outcome, 2, up=up)
    assert upkeep.missing == lacking


async def test_what_asks_for_a_look_whenever_it_fails_is_no_reason_to_spin() -> None:
    clock = ManualClock()
    upkeep = Upkeep(clock, lambda: True)
    look, enough = Look(clock, FATAL), asyncio.Event()

    async def restore() -> bool:
        upkeep.wake()  # as a channel does that was closed with the error, and is open again
        if look.count == 5:
            enough.set()
        return await look()

    upkeep.keep("q", restore)
    running = asyncio.create_task(upkeep.run())
    upkeep.wake()
    async with asyncio.timeout(10):
        await enough.wait()
    await cancel(running)
    assert clock.slept >= look.count - 1


async def test_while_the_broker_is_away_nothing_is_looked_at_and_nobody_ends() -> None:
    upkeep, look = await looked(FATAL, 100, up=False)
    upkeep.check()
    assert look.count == 0


async def test_what_was_made_again_is_told_each_time_and_what_is_missing_seldom() -> None:
    with capture_logs() as logs:
        await looked(True, 3)
        await looked(PASSING, 30)
    assert [log["event"] for log in logs] == ["rabbitmq.remade"] * 3 + ["rabbitmq.missing"]


async def test_a_receiver_whose_connection_is_given_up_while_it_stops_says_so() -> None:
    class GivenUp(Receiver):
        async def resize(self, consumers: int, *, priority: int = 0) -> None:
            future = asyncio.get_running_loop().create_future()
            future.cancel()  # as aio-pika does to whoever waits for an answer
            await future

    with pytest.raises(TransportError, match="will be delivered again"):
        await GivenUp(cast("Broker", None), cast("AbstractRobustChannel", None), Queue("q")).stop(last_attempt=2)


async def test_what_is_no_longer_kept_is_forgotten() -> None:
    clock = ManualClock()
    upkeep, look = Upkeep(clock, lambda: True), Look(clock, False)
    forget = upkeep.keep("q", look)
    forget()
    forget()
    running = asyncio.create_task(upkeep.run())
    upkeep.wake()
    for _ in range(10):
        await asyncio.sleep(0)
    await cancel(running)
    assert look.count == 0


@pytest.mark.parametrize(
    ("fault", "attempts"), [(Fault.PASSING, topology.PATIENCE // timedelta(seconds=1)), (Fault.FATAL, 1)]
)
async def test_a_process_that_starts_asks_for_its_queues_again_if_the_broker_did_not_answer(
    fault: Fault, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = ManualClock(), 0

    async def ensure(_: object) -> None:
        nonlocal asked
        asked += 1
        clock.passed += 1
        raise RequestRefused("RabbitMQ refused it", fault)

    monkeypatch.setattr(topology, "ensure", ensure)
    with pytest.raises(RequestRefused):
        await topology.ensure_patiently(cast("AbstractRobustConnection", None), retrying=Retrying(clock, Random(1)))
    assert asked == attempts
