"""Messages of RabbitMQ in the bridge's hands: tried with growing pauses, given up aloud, and put down at the end."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from bridge.codecs import CODECS
from bridge.ids import request_id_for
from bridge.inbound import InboundReplies, InboundRequests
from bridge.queue_consumer import QueueConsumer
from bridge.settings import CodecName
from bridge.worker_pool import WorkerPool
from events import subjects
from events.errors import TransportError
from events.event import Event
from events.faults import UNKNOWN_ATTEMPTS, Fault
from events.ids import RequestId
from events.memory import MemoryLog
from events.rabbitmq.connection import Broker
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.rabbitmq.sender import Sender, Unroutable, Unsendable
from events.rabbitmq.topology import Queue
from events.runtime.clock import SystemClock
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying
from events.schema import FinishReason, GenerationCompleted
from events.transport import Channel
from observability.telemetry import noop_telemetry
from tests.clocks import ManualClock


@dataclass
class FakeReceived:
    message: AmqpMessage = field(default_factory=lambda: AmqpMessage(b"q", reply_to="r", correlation_id="c"))
    stale: bool = False
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    rejected: bool = False

    async def ack(self) -> None:
        self.acked.set()

    async def reject(self) -> None:
        self.rejected = True


class FakeReceiver:
    def __init__(self, *received: FakeReceived) -> None:
        self._left = list(received)

    async def fetch(self, limit: int, timeout: timedelta) -> Sequence[FakeReceived]:
        fetched, self._left = self._left, []
        if not fetched:
            await asyncio.sleep(timeout.total_seconds())
        return fetched


@dataclass
class FakeHandler:
    """Raises `errors` one after the other, then takes."""

    errors: list[Exception]
    taken: int = 0
    given_up: list[str] = field(default_factory=list)

    async def handle_message(self, _: object) -> None:
        self.taken += 1
        if self.errors:
            raise self.errors.pop(0)

    async def give_up(self, _: object, why: str) -> None:
        self.given_up.append(why)


async def consumed(handler, received: FakeReceived) -> list[float]:
    """The pauses until the message was acknowledged."""
    clock, stop = ManualClock(), asyncio.Event()
    consumer = QueueConsumer(cast("Receiver", FakeReceiver(received)), handler, Retrying(clock, Random(1)))
    running = asyncio.create_task(consumer.run(stop))
    async with asyncio.timeout(10):
        await received.acked.wait()
        stop.set()
        await running
    return clock.slept


async def test_a_broker_that_is_away_is_asked_again_with_growing_pauses() -> None:
    handler = FakeHandler([TransportError("away")] * 20)
    slept = await consumed(handler, FakeReceived())
    assert (handler.taken, handler.given_up) == (21, [])
    assert slept[0] <= 0.5
    assert 2.5 <= slept[-1] <= 5


async def test_a_fault_that_nobody_knows_is_tried_some_times_and_then_given_up_aloud() -> None:
    handler = FakeHandler([KeyError("secret")] * 100)
    with capture_logs() as logs:
        await consumed(handler, FakeReceived())
    assert handler.taken == UNKNOWN_ATTEMPTS
    assert len(handler.given_up) == 1
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["bridge.dropped"]
    assert "secret" not in str(logs)


async def test_a_fault_that_nobody_knows_may_pass() -> None:
    handler = FakeHandler([KeyError(), TransportError("away"), KeyError()])
    await consumed(handler, FakeReceived())
    assert (handler.taken, handler.given_up) == (4, [])


async def test_what_a_broker_will_never_take_is_given_up_at_once() -> None:
    handler = FakeHandler([TransportError("too large", Fault.FINAL)] * 100)
    await consumed(handler, FakeReceived())
    assert (handler.taken, handler.given_up) == (1, ["too large"])


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        (ZeroDivisionError("secret"), UNKNOWN_ATTEMPTS),
        (TransportError("something new", Fault.UNKNOWN), UNKNOWN_ATTEMPTS),
        (TransportError("too large", Fault.FINAL), 1),
    ],
)
async def test_a_message_that_can_not_even_be_given_up_makes_room_with_a_line(error, tried) -> None:
    """Unsettled it would be one of those that RabbitMQ waits for, and 256 such would be the last ones."""

    class Breaking(FakeHandler):
        async def give_up(self, received: object, why: str) -> None:
            await super().give_up(received, why)
            raise error

    handler, received = Breaking([TransportError("too large", Fault.FINAL)]), FakeReceived()
    consumer = QueueConsumer(cast("Receiver", FakeReceiver(received)), handler, Retrying(ManualClock(), Random(1)))
    with capture_logs() as logs:
        await consumer._process(cast("ReceivedMessage", received))
    assert len(handler.given_up) == tried
    assert received.rejected
    assert not received.acked.is_set()
    assert "bridge.lost" in [log["event"] for log in logs]
    assert "secret" not in str(logs)


async def test_an_answer_of_a_broker_that_is_in_no_table_is_tried_some_times_and_then_given_up() -> None:
    handler = FakeHandler([TransportError("something new", Fault.UNKNOWN)] * 100)
    await consumed(handler, FakeReceived())
    assert (handler.taken, handler.given_up) == (UNKNOWN_ATTEMPTS, ["something new"])


async def test_a_question_that_can_not_be_taken_is_kept_as_a_dead_letter() -> None:
    class Breaking(MemoryLog):
        async def publish(self, channel, event):
            if channel is Channel.REQUESTS:
                raise ZeroDivisionError
            return await super().publish(channel, event)

    log, received = Breaking(clock=SystemClock()), FakeReceived()
    questions = InboundRequests(
        "q", CODECS[CodecName.ORIGINAL], log, timedelta(seconds=9), noop_telemetry(), SystemClock()
    )
    await consumed(questions, received)
    assert await log.find(Channel.DEADLETTERS, request_id_for(received.message))


async def test_a_broken_line_of_log_is_written_once_while_the_broker_is_away() -> None:
    with capture_logs() as logs:
        await consumed(FakeHandler([TransportError("away")] * 50), FakeReceived())
    assert len([log for log in logs if log["event"] == "bridge.again"]) == 1


async def test_a_message_that_loses_a_cancellation_does_not_hold_up_the_end() -> None:
    """As `asyncio.wait_for` does on Python 3.11, which aio-pika and nats-py wait with."""

    taking = asyncio.Event()

    class Deaf(FakeHandler):
        async def handle_message(self, _: object) -> None:
            taking.set()
            for _ in range(3):
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            await asyncio.Event().wait()

    stop = asyncio.Event()
    consumer = QueueConsumer(
        cast("Receiver", FakeReceiver(FakeReceived())), Deaf([]), Retrying(SystemClock(), Random(1))
    )
    running = asyncio.create_task(consumer.run(stop))
    async with asyncio.timeout(10):
        await taking.wait()
        stop.set()
        await running


def reply(log: MemoryLog):
    subscription = log.subscribe(Channel.REPLIES, "edge-rabbitmq", lease=timedelta(seconds=60))
    request_id = RequestId(subjects.RABBITMQ_ACCOUNT, "a", "b")
    data = GenerationCompleted(request_id=str(request_id), text="x", finish_reason=FinishReason.STOP, model="m")
    headers = {"timokha-origin-reply-to": "r", "timokha-origin-correlation-id": "c", "timokha-origin-subject": "s"}
    return subscription, Event.of(data, source="/test", time=datetime.now(UTC), headers=headers)


UNROUTABLE, AWAY, NEW = Unroutable("no queue"), TransportError("away"), TransportError("something new", Fault.UNKNOWN)


@pytest.mark.parametrize(
    ("errors", "dropped"),
    [
        ([ZeroDivisionError()] * (UNKNOWN_ATTEMPTS - 1), False),
        ([ZeroDivisionError()] * UNKNOWN_ATTEMPTS, True),
        ([UNROUTABLE] * (UNKNOWN_ATTEMPTS - 1), False),
        ([UNROUTABLE] * UNKNOWN_ATTEMPTS, True),
        ([Unsendable("too large", Fault.FINAL)], True),
        ([NEW] * UNKNOWN_ATTEMPTS, True),
        ([AWAY] * 100, False),
        # A requester makes its queue again soon after the broker is back.
        ([AWAY] * 100 + [UNROUTABLE], False),
        ([AWAY] * 100 + [UNROUTABLE] * UNKNOWN_ATTEMPTS, True),
    ],
)
async def test_an_answer_is_sent_again_for_as_long_as_its_fault_may_pass(errors, dropped) -> None:
    class BrokenSender:
        async def send(self, *_: object) -> None:
            raise error

    retrying = Retrying(SystemClock(), Random(1))
    subscription, event = reply(MemoryLog(clock=SystemClock()))
    answers = InboundReplies(
        subscription, CODECS[CodecName.EVENTS], cast("Sender", BrokenSender()), noop_telemetry(), retrying
    )
    was_dropped = []
    for attempt, error in enumerate(errors, 1):  # noqa: B007 - the sender raises it
        subscription.put(event, attempt)
        [delivery] = await subscription.fetch(1, timedelta(seconds=1))
        with capture_logs() as logs:
            await answers._settle(delivery, LogThrottle())
        was_dropped.append("answer.dropped" in [log["event"] for log in logs])
    assert was_dropped == [*[False] * (len(errors) - 1), dropped]


async def test_a_pool_that_is_unknown_is_told_once_and_looked_at_less_often() -> None:
    clock = ManualClock()

    broker = cast("Broker", SimpleNamespace(consuming=SimpleNamespace(transport=None)))  # as after a lost connection
    queue = Queue("q")
    pool = WorkerPool(broker, queue, queue, prefetch=1, on_lost=lambda: None, retrying=Retrying(clock, Random(1)))
    with capture_logs() as logs:
        watching = asyncio.create_task(pool.watch())
        async with asyncio.timeout(10):
            while len(clock.slept) < 20:  # noqa: ASYNC110 - sleeping is what it does
                await asyncio.sleep(0)
        watching.cancel()
    assert len([log for log in logs if log["event"] == "bridge.pool_unknown"]) == 1
    assert clock.slept[-1] >= 1
