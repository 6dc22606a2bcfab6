"""A request that is given up is kept as far as the broker takes it, counted once, and its asker is told."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from opentelemetry.metrics import NoOpMeter
from structlog.testing import capture_logs

from bridge.codecs import CODECS
from bridge.deadletters import DeadLetters
from bridge.headers import RequestOrigin
from bridge.ids import request_id_for
from bridge.inbound import MAX_BODY, InboundReplies, InboundRequests
from bridge.outbound import Outbound
from bridge.sent_requests import SentRequests
from bridge.settings import CodecName
from events.deadletters import ATTEMPTS_HEADER, CUT_HEADER, DETAIL_HEADER, REASON_HEADER, truncations
from events.errors import TransportError
from events.event import NATS_PREFIX, Event, to_headers
from events.faults import Fault
from events.ids import RequestId
from events.memory import MemoryLog, MemoryRecords
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage
from events.rabbitmq.sender import Sender, Unsendable
from events.runtime.clock import SystemClock
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying
from events.schema import FailureReason, FinishReason, GenerationCompleted
from events.transport import Channel, Published
from functions.worker.outcomes import Answered, GaveUp, Skipped
from functions.worker.settling import dead_letter_of, give_up, settle
from observability.metrics import Metrics
from observability.telemetry import Telemetry, noop_telemetry

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OUTCOME = GaveUp(FailureReason.REJECTED, "too long for this model", 1)
REQUEST_ID = RequestId("1", "2", "3")


class Counting(Metrics):
    def __init__(self) -> None:
        super().__init__(NoOpMeter("test"), SystemClock())
        self.dead: list[str] = []
        self.outcomes: list[tuple[str, bool]] = []

    def count_dead_letter(self, reason: FailureReason) -> None:
        self.dead.append(reason.value)

    def record_finished(self, took: timedelta, outcome: str) -> None:
        self.outcomes.append((outcome, timedelta(0) <= took < timedelta(seconds=60)))


@dataclass
class NarrowLog(MemoryLog):
    """Takes no event of more than `room` bytes; `fails` is raised instead, in turn."""

    room: int = 2**30
    fails: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(clock=SystemClock())

    async def publish(self, channel: Channel, event: Event) -> Published:
        if self.fails:
            raise self.fails.pop(0)
        headers = to_headers(event, NATS_PREFIX)
        if sum(len(name) + len(value.encode()) for name, value in headers.items()) + len(event.body) > self.room:
            raise TransportError("too large", Fault.FINAL)
        return await super().publish(channel, event)


@pytest.fixture
def metrics() -> Counting:
    return Counting()


@pytest.fixture
def telemetry(metrics: Counting) -> Telemetry:
    quiet = noop_telemetry()
    return replace(quiet, metrics=metrics, spans=replace(quiet.spans, metrics=metrics))


@dataclass
class FakeDelivery:
    event: Event
    attempt: int = 1
    published_at: datetime = NOW
    settled: list[str] = field(default_factory=list)

    async def ack(self) -> None:
        self.settled.append("ack")

    async def discard(self) -> None:
        self.settled.append("discard")


@pytest.mark.parametrize("room", [2**30, 80_000, 5_000])
async def test_a_dead_letter_is_kept_as_far_as_the_broker_takes_it(make_event, telemetry, room) -> None:
    log = NarrowLog(room=room)
    own = {"large": "я" * 40_000, "small": "x", **RequestOrigin("queue", "mine").headers()}
    event = replace(make_event(headers=own), body=b"x" * 200_000)
    await give_up(OUTCOME, event, log, telemetry, source="/test", now=NOW)
    kept = await log.find(Channel.DEADLETTERS, REQUEST_ID)
    assert kept is not None
    assert (kept.headers[REASON_HEADER], kept.headers["small"]) == ("rejected", "x")
    assert RequestOrigin.read(kept.headers).reply_to == "queue"
    assert (CUT_HEADER in kept.headers) == (room < 2**30)
    reply = await log.find(Channel.REPLIES, REQUEST_ID)
    assert reply is not None
    assert RequestOrigin.read(reply.headers).correlation_id == "mine"


def test_what_is_cut_is_said(make_event) -> None:
    event = replace(make_event(headers={f"h{number}": "x" * 1000 for number in range(100)}), body=b"x" * 100_000)
    first, least = truncations(dead_letter_of(event, OUTCOME))
    assert first.headers[CUT_HEADER] == "84 of 103 headers, 34464 of 100000 bytes of the body"
    assert len(least.body) == 1024
    assert {REASON_HEADER, DETAIL_HEADER, ATTEMPTS_HEADER} <= least.headers.keys()


async def test_a_dead_letter_counts_when_it_is_kept_and_not_with_every_try(make_event, telemetry, metrics) -> None:
    log = NarrowLog(fails=[TransportError("away")] * 3)
    for _ in range(3):
        with pytest.raises(TransportError):
            await give_up(OUTCOME, make_event(), log, telemetry, source="/test", now=NOW)
    assert metrics.dead == []
    await give_up(OUTCOME, make_event(), log, telemetry, source="/test", now=NOW)
    assert metrics.dead == ["rejected"]


async def test_an_answer_that_the_broker_never_takes_fails_its_question_at_once(make_event, telemetry, metrics) -> None:
    delivery, log = FakeDelivery(make_event()), NarrowLog(room=2_000)
    data = GenerationCompleted(request_id=str(REQUEST_ID), text="x" * 5_000, finish_reason=FinishReason.STOP, model="m")
    await settle(Answered(data), delivery, log, source="/test", telemetry=telemetry, now=NOW)
    reply = await log.find(Channel.REPLIES, REQUEST_ID)
    assert reply is not None
    assert reply.data().reason is FailureReason.REJECTED
    assert (delivery.settled, metrics.dead) == (["discard"], ["rejected"])


@pytest.mark.parametrize("bridged", [True, False])
async def test_a_request_from_a_bridge_that_came_too_late_is_told_its_asker(make_event, telemetry, bridged) -> None:
    """A Telegram user hears of it from the edge, which looks at the clock."""
    headers = RequestOrigin("queue", "mine").headers() if bridged else {}
    delivery, log = FakeDelivery(make_event(headers=headers)), NarrowLog()
    late = Skipped("the deadline has passed", expired=True)
    await settle(late, delivery, log, source="/test", telemetry=telemetry, now=NOW)
    assert (await log.find(Channel.REPLIES, REQUEST_ID) is not None) == bridged
    assert delivery.settled == ["discard" if bridged else "ack"]


def received(message: AmqpMessage, death: str = "") -> ReceivedMessage:
    return cast("ReceivedMessage", SimpleNamespace(message=replace(message, death=death), stale=False))


@pytest.mark.parametrize("death", ["delivery_limit", "rejected", "maxlen", ""])
async def test_what_rabbitmq_gives_up_counts_and_its_asker_is_told(make_event, telemetry, metrics, death) -> None:
    log = NarrowLog()
    message = AmqpMessage.of(make_event(), reply_to=topology.REPLIES.name)
    await DeadLetters(log, telemetry, SystemClock()).handle_message(received(message, death))
    assert await log.find(Channel.DEADLETTERS, REQUEST_ID)
    assert await log.find(Channel.REPLIES, REQUEST_ID)
    assert metrics.dead == ["attempts_exhausted"]


@pytest.mark.parametrize("asker", [topology.REPLIES.name, "requester"])
async def test_what_rabbitmq_gives_up_is_logged_once_and_not_with_every_try(make_event, telemetry, asker) -> None:
    log, message = NarrowLog(fails=[TransportError("away")] * 3), AmqpMessage.of(make_event(), reply_to=asker)
    letters = DeadLetters(log, telemetry, SystemClock())
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(TransportError):
                await letters.handle_message(received(message, "rejected"))
        await letters.handle_message(received(message, "rejected"))
    assert [line["event"] for line in logs] == ["request.gave_up"]


async def test_what_a_worker_has_given_up_was_counted_by_it(make_event, telemetry, metrics) -> None:
    log = NarrowLog()
    message = AmqpMessage.of(dead_letter_of(make_event(), OUTCOME))
    await DeadLetters(log, telemetry, SystemClock()).handle_message(received(message))
    kept = await log.find(Channel.DEADLETTERS, REQUEST_ID)
    assert kept is not None
    assert kept.headers[REASON_HEADER] == "rejected"
    assert (metrics.dead, await log.find(Channel.REPLIES, REQUEST_ID)) == ([], None)


async def test_a_requesters_question_that_rabbitmq_gives_up_is_told_to_whoever_asked(
    make_event, telemetry, metrics
) -> None:
    log = NarrowLog()
    message = replace(AmqpMessage.of(make_event(), reply_to="requester"), correlation_id="mine")
    await DeadLetters(log, telemetry, SystemClock()).handle_message(received(message, "delivery_limit"))
    reply = await log.find(Channel.REPLIES, request_id_for(message))
    assert reply is not None
    asker = RequestOrigin.read(reply.headers)
    assert (asker.reply_to, asker.correlation_id, asker.subject) == ("requester", "mine", str(REQUEST_ID))
    assert await log.find(Channel.REPLIES, REQUEST_ID) is None
    assert metrics.dead == ["attempts_exhausted"]


async def refused(log: MemoryLog, telemetry: Telemetry, codec: CodecName, body: bytes) -> FailureReason:
    """Why the bridge does not take a question with such a body, as its asker is told."""
    questions = InboundRequests("q", CODECS[codec], log, timedelta(seconds=60), telemetry, SystemClock())
    message = AmqpMessage(body, reply_to="requester", correlation_id="mine")
    await questions.handle_message(received(message))
    reply = await log.find(Channel.REPLIES, request_id_for(message))
    assert reply is not None
    assert await log.find(Channel.REQUESTS, request_id_for(message)) is None
    return reply.data().reason


@pytest.mark.parametrize("codec", list(CodecName))
async def test_a_refused_question_counts_once_and_its_asker_is_told(telemetry, metrics, codec) -> None:
    assert await refused(NarrowLog(), telemetry, codec, b"\xff") is FailureReason.MALFORMED
    assert metrics.dead == ["malformed"]


@pytest.mark.parametrize("codec", list(CodecName))
async def test_a_question_that_is_too_large_is_not_said_to_be_missing(telemetry, metrics, codec) -> None:
    assert await refused(NarrowLog(), telemetry, codec, b"x" * (MAX_BODY + 1)) is FailureReason.REJECTED
    assert metrics.dead == ["rejected"]


async def test_a_question_that_the_broker_never_takes_is_not_said_to_be_missing(telemetry, metrics) -> None:
    log = NarrowLog()
    questions = InboundRequests("q", CODECS[CodecName.ORIGINAL], log, timedelta(seconds=60), telemetry, SystemClock())
    message = AmqpMessage(b"hello", reply_to="requester", correlation_id="mine")
    await questions.give_up(received(message), "it is too large")
    reply = await log.find(Channel.REPLIES, request_id_for(message))
    assert reply is not None
    assert reply.data().reason is FailureReason.REJECTED


@pytest.mark.parametrize("body", ["", " \n", "раз<:>два<:>"])
async def test_a_bare_prefix_is_told_and_is_no_dead_letter(telemetry, metrics, body) -> None:
    """Whoever tries the bot out would set off an alert."""
    log = NarrowLog()
    assert await refused(log, telemetry, CodecName.ORIGINAL, body.encode()) is FailureReason.MALFORMED
    message = AmqpMessage(body.encode(), reply_to="requester", correlation_id="mine")
    assert await log.find(Channel.DEADLETTERS, request_id_for(message)) is None
    assert metrics.dead == []


class FakeSender:
    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def send(self, queue: str, message: AmqpMessage) -> None:
        if self._error:
            raise self._error


UNSENDABLE = Unsendable("too large", Fault.FINAL)


@pytest.mark.parametrize(
    ("body", "error", "outcome"),
    [("hello", None, "answered"), ("", None, "failed"), ("hello", UNSENDABLE, "undeliverable")],
)
async def test_a_question_from_rabbitmq_counts_with_its_outcome(telemetry, metrics, body, error, outcome) -> None:
    """As the userbot's do: who is silent is seen on both brokers."""
    log = NarrowLog()
    replies = log.subscribe(Channel.REPLIES, "edge-rabbitmq", lease=timedelta(seconds=60))
    codec = CODECS[CodecName.ORIGINAL]
    questions = InboundRequests("q", codec, log, timedelta(seconds=60), telemetry, SystemClock())
    message = AmqpMessage(body.encode(), reply_to="requester", correlation_id="mine")
    await questions.handle_message(received(message))
    if asked := await log.find(Channel.REQUESTS, request_id_for(message)):
        data = GenerationCompleted(request_id=asked.subject, text="да", finish_reason=FinishReason.STOP, model="m")
        await settle(Answered(data), FakeDelivery(asked), log, source="/test", telemetry=telemetry, now=NOW)
    sender = cast("Sender", FakeSender(error))
    answers = InboundReplies(replies, codec, sender, telemetry, Retrying(SystemClock(), Random(1)))
    [delivery] = await replies.fetch(1, timedelta(seconds=1))
    await answers._settle(delivery, LogThrottle())
    assert metrics.outcomes == [(outcome, True)]


async def test_a_trace_that_is_too_long_does_not_cost_its_question(telemetry) -> None:
    log = NarrowLog(room=20_000)
    questions = InboundRequests("q", CODECS[CodecName.ORIGINAL], log, timedelta(seconds=60), telemetry, SystemClock())
    message = AmqpMessage(b"hello", {"tracestate": "x" * 70_000}, reply_to="requester", correlation_id="mine")
    await questions.handle_message(received(message))
    assert await log.find(Channel.REQUESTS, request_id_for(message))


async def _never(request_id: RequestId) -> bool:
    return False


async def test_a_reply_that_is_too_large_fails_its_request_at_once(make_event, telemetry) -> None:
    """Every worker would be asked for such a one, until the deadline."""
    codec, event = CODECS[CodecName.EVENTS], make_event()
    out = Outbound(
        queue=codec.queue("q"),
        codec=codec,
        sender=cast("Sender", FakeSender(None)),
        events=NarrowLog(),
        sent_requests=SentRequests(MemoryRecords()),
        is_answered=_never,
        telemetry=telemetry,
        clock=SystemClock(),
        random=Random(1),
    )
    handling = asyncio.create_task(out.handle(event.data(), FakeDelivery(event)))
    await asyncio.sleep(0)
    data = GenerationCompleted(
        request_id=str(REQUEST_ID), text="x" * 1_000_000, finish_reason=FinishReason.STOP, model="m"
    )
    with capture_logs() as logs:
        await out.handle_message(received(AmqpMessage.of(Event.of(data, source="/test", time=NOW))))
    outcome = await handling
    assert isinstance(outcome, GaveUp)
    assert (outcome.reason, "bytes; at most" in outcome.detail) == (FailureReason.REJECTED, True)
    assert [line["event"] for line in logs] == ["reply.dropped"]
