"""Real brokers: whatever a stranger publishes, what comes after it is still delivered."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.js import JetStreamContext
from pydantic import SecretStr

from bridge.deadletters import DeadLetters
from events import subjects
from events.deadletters import REASON_HEADER
from events.event import Event
from events.ids import RequestId
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker, connect
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.runtime.clock import SystemClock
from events.schema import GenerationRequested
from events.transport import Channel, Published
from observability.telemetry import noop_telemetry
from tests.rabbitmq_queues import close

HEADERS = st.dictionaries(
    st.sampled_from(["ce-type", "ce-subject", "ce-id", "ce-time", "traceparent", "Nats-Msg-Id", "x"])
    | st.text(st.characters(max_codepoint=0x7F), min_size=1, max_size=12)
    | st.text(max_size=8),
    st.text(max_size=40),
    max_size=6,
)


@pytest.fixture
async def rabbit(rabbitmq_url: str) -> AsyncIterator[tuple[Broker, Receiver]]:
    async with connect(SecretStr(rabbitmq_url), name="fuzz", clock=SystemClock()) as broker:
        await topology.ensure(broker.consuming)
        receiver = await Receiver.open(broker, topology.REQUESTS)
        yield broker, receiver
        await close(receiver)


FEWER = settings(max_examples=settings.default.max_examples // 2)


def raw_headers(headers: dict[str, str], more: bytes) -> bytes:
    """As they lie on NATS' wire, without the checks of its client."""
    lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    return b"NATS/1.0\r\n" + lines + more + b"\r\n\r\n"


@FEWER
@given(headers=HEADERS, more=st.binary(max_size=30), body=st.binary(max_size=60))
async def test_any_message_on_jetstream_is_an_event_and_the_next_one_comes_too(
    js: JetStreamContext, headers: dict[str, str], more: bytes, body: bytes, make_event: Any
) -> None:
    """Under a subject of its own each time: the stream takes one message a subject."""
    number = (await js.stream_info("REQUESTS")).state.last_seq + 1
    client, subject = js._nc, subjects.subject(Channel.REQUESTS, RequestId("1", "2", str(number)))
    header = raw_headers(headers, more)
    command = f"HPUB {subject} {len(header)} {len(header) + len(body)}\r\n".encode()
    await client._send_command(command + header + body + b"\r\n")
    await client.flush()
    following: Event = make_event(f"1.2.{number + 1_000_000}.0")
    assert await JetStreamLog(js).publish(Channel.REQUESTS, following) is Published.STORED
    subscription = await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random())
    taken: list[Event] = []
    while not taken or taken[-1].subject != following.subject:
        for delivery in await subscription.fetch(1, timedelta(seconds=1)):
            taken.append(delivery.event)
            await delivery.ack()
    assert len(taken) <= 2  # one at a time: a request that is not used up would take the next case's
    if len(taken) == 2:
        assert taken[0].body == body
        assert taken[0].subject == f"1.2.{number}.0"
        found = await JetStreamLog(js).find(Channel.REQUESTS, RequestId("1", "2", str(number)))
        assert found is not None
        assert replace(found, time=taken[0].time) == taken[0]  # a microsecond apart, where the sender gave none
        again = RequestId("7", "8", str(number))
        copied = Event(
            **{name: getattr(taken[0], name) for name in ("id", "type", "source", "time", "body", "headers")},
            subject=str(again),
        )
        assert await JetStreamLog(js).publish(Channel.DEADLETTERS, copied) is Published.STORED


LONG = st.builds(lambda letter, times: letter * times, st.sampled_from("aя🦔"), st.integers(0, 9_000))
ORDERS = st.sampled_from(["Nats-Msg-Id", "Nats-Rollup", "Nats-Expected-Stream", "nats-x"])


@FEWER
@given(
    headers=HEADERS | st.dictionaries(st.text(max_size=60), LONG, max_size=12),
    orders=st.dictionaries(ORDERS, st.text(max_size=20)),
    body=st.binary(max_size=60) | st.integers(0, 2_000_000).map(bytes),
    given_up=st.booleans(),
)
async def test_any_dead_letter_of_rabbitmq_is_kept(
    js: JetStreamContext, headers: dict[str, str], orders: dict[str, str], body: bytes, given_up: bool
) -> None:
    """Whatever AMQP took: NATS takes less."""
    request_id = RequestId("1", "2", str((await js.stream_info("DEADLETTERS")).state.last_seq + 1))
    outcome = {REASON_HEADER: "rejected"} if given_up else {}
    subject = {"cloudEvents:subject": str(request_id), "cloudEvents:type": GenerationRequested.TYPE}
    message = AmqpMessage(body, {**headers, **orders, **outcome, **subject})
    taken = cast("ReceivedMessage", SimpleNamespace(message=message, stale=False))
    await DeadLetters(JetStreamLog(js), noop_telemetry(), SystemClock()).handle_message(taken)
    kept = await JetStreamLog(js).find(Channel.DEADLETTERS, request_id)
    assert kept is not None
    assert kept.headers[REASON_HEADER]
    assert body.startswith(kept.body)
    assert (await JetStreamLog(js).find(Channel.REPLIES, request_id) is None) == given_up


@FEWER
@given(token=st.from_regex(r"[!-~а-я]{1,20}", fullmatch=True).filter(lambda token: not set(token) & set(".*>")))
async def test_a_chat_can_be_erased_whatever_subject_a_stranger_has_published_under(
    js: JetStreamContext, token: str, make_event: Any
) -> None:
    await js._nc.publish(f"timokha.replies.1.2.{token}.{token}", b"")
    await js._nc.flush()
    log, request_id = JetStreamLog(js), RequestId("1", "2", "3")
    await log.publish(Channel.REPLIES, make_event(str(request_id)))
    await log.erase_chat("1", "2", up_to=3)
    assert await log.find(Channel.REPLIES, request_id) is None


PROPERTY = st.text(max_size=80)


@FEWER
@given(
    message=st.builds(
        AmqpMessage,
        body=st.binary(max_size=60),
        headers=st.dictionaries(st.text(max_size=63), PROPERTY, max_size=4),
        content_type=PROPERTY,
        correlation_id=PROPERTY,
        reply_to=PROPERTY,
        message_id=st.text(max_size=300),
        expires_in=st.none() | st.timedeltas(timedelta(seconds=60)),
    )
)
async def test_any_message_sent_over_rabbitmq_arrives(rabbit: tuple[Broker, Receiver], message: AmqpMessage) -> None:
    broker, receiver = rabbit
    await broker.sender.send(topology.REQUESTS.name, message)
    [received] = await receiver.fetch(1, timedelta(seconds=10))
    await received.ack()
    assert received.message.body == message.body
