"""The bridge's codecs: whatever RabbitMQ brings becomes a request, a reply or a dead letter, and words stay words."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from bridge import original_format
from bridge.codecs import CODECS, MAX_BYTES, SOURCE, Codec
from bridge.deadletters import DeadLetters
from bridge.headers import RequestOrigin
from bridge.ids import correlation_id_for, request_id_for
from bridge.inbound import InboundReplies, InboundRequests
from bridge.outbound import MARK, Outbound
from bridge.sent_requests import SentRequest, SentRequests
from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.memory import MemoryLog, MemoryRecords
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage
from events.rabbitmq.sender import Sender
from events.runtime.clock import SystemClock
from events.runtime.log_throttle import LogThrottle
from events.runtime.retrying import Retrying
from events.schema import FinishReason, GenerationCompleted, GenerationRequested, Role, Turn
from events.transport import Channel
from observability.telemetry import noop_telemetry

ANY_CODEC = st.sampled_from(list(CODECS.values()))
PIECES = st.lists(
    st.sampled_from(
        [
            "<:>",
            "<",
            ":",
            ">",
            "@@",
            "ПЕРВЫЙ",
            "ВТОРОЙ",
            "@@ВТОРОЙ@@",
            "‹:›",
            "\n",
            " ",
            "\x00",
            "\u202e",
            "👨‍👩‍👧",
            "я",
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)
HUGE = st.builds(lambda text, times: text * times, st.sampled_from(["я<:>", "a", "\x00", '"']), st.integers(1, 300_000))
BODIES = PIECES.map(str.encode) | st.binary(max_size=80) | HUGE.map(str.encode)
PROPERTY = st.text(max_size=255) | st.sampled_from(
    ["", "\ufffd" * 255, "timokha.requests", "amq.rabbitmq.reply-to.g1", "a b\r\nc: d"]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "traceparent",
            "tracestate",
            "cloudEvents:type",
            "cloudEvents:subject",
            "timokha-origin-x",
            "timokha-origin-é",
            MARK,
        ]
    )
    | st.text(max_size=20),
    PROPERTY,
    max_size=5,
)
MESSAGES = st.builds(
    AmqpMessage,
    body=BODIES,
    headers=HEADERS,
    correlation_id=PROPERTY,
    reply_to=PROPERTY,
    message_id=PROPERTY,
    attempts=st.integers(0, 2**31),
    death=st.sampled_from(["", "expired", "rejected", "delivery_limit"]),
)
TURNS = st.lists(PIECES.filter(str.strip), min_size=1, max_size=6)


def conversation(texts: Sequence[str]) -> tuple[Turn, ...]:
    """By turns, and the user has the last word."""
    roles = [Role.USER, Role.ASSISTANT]
    count = len(texts)
    return tuple(Turn(role=roles[(count - 1 - place) % 2], text=text) for place, text in enumerate(texts))


def request(turns: tuple[Turn, ...], request_id: str = "1.2.3.0") -> GenerationRequested:
    account, chat, message, _ = request_id.split(".")
    deadline = datetime.now(UTC) + timedelta(seconds=60)
    return GenerationRequested(
        request_id=request_id, account_id=account, chat_id=chat, message_id=message, turns=turns, deadline=deadline
    )


def received(message: AmqpMessage) -> ReceivedMessage:
    return cast("ReceivedMessage", SimpleNamespace(message=message, stale=False))


@dataclass
class FakeSender:
    sent: list[tuple[str, AmqpMessage]] = field(default_factory=list)

    async def send(self, queue: str, message: AmqpMessage) -> None:
        self.sent.append((queue, message))


@given(ANY_CODEC, TURNS)
def test_a_conversation_sent_out_and_taken_in_has_the_same_turns(codec: Codec, texts: list[str]) -> None:
    turns = conversation(texts)
    asked = request(turns)
    sent = codec.encode_request(
        Event.of(asked, source=SOURCE, time=datetime.now(UTC)), asked, expires_in=timedelta(seconds=9)
    )
    taken, origin = codec.decode_request(sent, deadline=datetime.now(UTC) + timedelta(seconds=60))
    if codec is CODECS["original"] and turns[0].role is Role.ASSISTANT:
        turns = turns[1:]
    assert [turn.role for turn in taken.turns] == [turn.role for turn in turns]
    plain = [turn.text for turn in turns]
    assert [turn.text for turn in taken.turns] in (plain, [original_format.escape(text) for text in plain])
    assert (origin.reply_to, origin.correlation_id) == (sent.reply_to, sent.correlation_id)
    assert taken.request_id == str(request_id_for(sent))


@given(ANY_CODEC, PIECES.filter(str.strip), PROPERTY.filter(bool), PROPERTY.filter(bool))
def test_an_answer_arrives_as_it_was_written(codec: Codec, text: str, reply_to: str, correlation_id: str) -> None:
    origin = RequestOrigin(reply_to, correlation_id, subject="7.8.9.0")
    assert RequestOrigin.read(origin.headers()) == origin
    assert all(value.isascii() and value.isprintable() for value in origin.headers().values())
    data = GenerationCompleted(request_id="7.8.9.0", text=text, finish_reason=FinishReason.STOP, model="m")
    answer = codec.encode_reply(data, origin, time=datetime.now(UTC))
    assert answer is not None
    assert answer.correlation_id == correlation_id
    back = codec.decode_reply(answer, "7.8.9.0")
    assert isinstance(back, GenerationCompleted)
    assert back.text == text


@given(ANY_CODEC, MESSAGES)
async def test_any_message_becomes_one_request_or_is_refused(codec: Codec, message: AmqpMessage) -> None:
    log = MemoryLog(clock=SystemClock())
    questions = InboundRequests("q", codec, log, timedelta(seconds=60), noop_telemetry(), SystemClock())
    await questions.handle_message(received(message))
    await questions.handle_message(received(message))
    request_id = request_id_for(message)
    asked = await log.find(Channel.REQUESTS, request_id)
    dead = await log.find(Channel.DEADLETTERS, request_id)
    told = await log.find(Channel.REPLIES, request_id)
    assert (asked is None) == bool(dead or told)
    assert len((asked or dead or told).body) <= MAX_BYTES  # type: ignore[union-attr]
    if asked:
        assert isinstance(asked.data(), GenerationRequested)
        assert RequestOrigin.read(asked.headers).reply_to == message.reply_to


@given(ANY_CODEC, MESSAGES, st.booleans())
async def test_any_reply_is_stored_for_the_request_it_is_about_or_dropped(
    codec: Codec, message: AmqpMessage, asked: bool
) -> None:
    log, notes = MemoryLog(clock=SystemClock()), SentRequests(MemoryRecords())
    if asked:
        message = replace(message, correlation_id=correlation_id_for("1.2.3.0"))
        await notes.save(SentRequest(request_id="1.2.3.0"))
    out = Outbound(
        queue=codec.queue("q"),
        codec=codec,
        sender=cast("Sender", FakeSender()),
        events=log,
        sent_requests=notes,
        is_answered=_nothing,
        telemetry=noop_telemetry(),
        clock=SystemClock(),
        random=Random(1),
    )
    await out.handle_message(received(message))
    reply = await log.find(Channel.REPLIES, RequestId.parse("1.2.3.0"))
    assert reply is None or reply.data().request_id == "1.2.3.0"
    if codec is CODECS["original"] and asked and _is_utf8(message.body) and len(message.body) < MAX_BYTES // 6:
        assert reply is not None


@given(MESSAGES, st.sampled_from(["1.2.3.0", "1.2.3.x", ""]))
async def test_any_dead_letter_is_kept_or_dropped(message: AmqpMessage, subject: str) -> None:
    log = MemoryLog(clock=SystemClock())
    message = replace(message, headers={**message.headers, "cloudEvents:subject": subject}, correlation_id=subject)
    await DeadLetters(log, noop_telemetry(), SystemClock()).handle_message(received(message))
    kept = await log.find(Channel.DEADLETTERS, RequestId.parse("1.2.3.0"))
    asked = await log.find(Channel.DEADLETTERS, request_id_for(message))
    lives, ours = message.death != "expired", message.reply_to in ("", topology.REPLIES.name)
    assert (kept is not None) == (lives and ours and subject == "1.2.3.0")
    assert (asked is not None) == (lives and not ours)


@given(ANY_CODEC, MESSAGES)
async def test_any_reply_to_a_requester_is_sent_or_dropped_and_always_settled(
    codec: Codec, message: AmqpMessage
) -> None:
    log, sender = MemoryLog(clock=SystemClock()), FakeSender()
    subscription = log.subscribe(Channel.REPLIES, "edge-rabbitmq", lease=timedelta(seconds=60))
    event = replace(message.event(), subject="rabbitmq.a.b.0")
    subscription.put(event)
    [delivery] = await subscription.fetch(1, timedelta(seconds=1))
    answers = InboundReplies(
        subscription, codec, cast("Sender", sender), noop_telemetry(), Retrying(SystemClock(), Random(1))
    )
    await answers._settle(delivery, LogThrottle())
    assert delivery._lease is not None
    assert delivery._lease.cancelled()


@given(PIECES)
def test_no_text_holds_a_separator_or_a_speaker_once_it_is_harmless(text: str) -> None:
    harmless = original_format.escape(text)
    assert not any(control in harmless for control in ("<:>", "@@ПЕРВЫЙ@@", "@@ВТОРОЙ@@"))
    assert len(harmless) == len(text)
    assert original_format.escape(harmless) == harmless


@given(BODIES, PROPERTY, PROPERTY, PROPERTY)
def test_the_same_message_always_makes_the_same_request(body: bytes, reply_to: str, one: str, two: str) -> None:
    message = AmqpMessage(body, reply_to=reply_to, correlation_id=one, message_id=two)
    assert request_id_for(message) == request_id_for(replace(message, headers={"x": "y"}, attempts=3))
    if one != two:
        assert request_id_for(message) != request_id_for(replace(message, correlation_id=two, message_id=one))


async def _nothing(_: Any) -> bool:
    return False


def _is_utf8(body: bytes) -> bool:
    try:
        return bool(body.decode().strip())
    except UnicodeDecodeError:
        return False


def test_a_request_without_anybody_to_answer_is_refused() -> None:
    for codec in CODECS.values():
        try:
            codec.decode_request(AmqpMessage("вопрос".encode()), deadline=datetime.now(UTC))
        except MalformedEvent:
            continue
        raise AssertionError("taken")
