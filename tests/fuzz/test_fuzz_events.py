"""Whatever lies on the wire: an event is read, or refused with MalformedEvent, and always settled."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pamqp import commands, header
from pamqp.decode import METHODS

from events.errors import MalformedEvent
from events.event import AMQP_PREFIX, NATS_PREFIX, Event, from_headers, to_headers
from events.ids import RequestId
from events.memory import MemoryLog
from events.rabbitmq.client import fix_client
from events.rabbitmq.message import AmqpMessage, decode, encode
from events.runtime.clock import SystemClock
from events.schema import TYPES, EventData, FinishReason, GenerationCompleted, GenerationRequested, Role, Turn
from events.transport import Channel
from functions.worker.loop import Limits, Worker, host_handler, reply_lookup
from observability.telemetry import noop_telemetry

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""What nats-py takes as a header's name."""
SUBJECT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){3}")

TEXT = st.text(max_size=40)
ATTRIBUTES = ["specversion", "id", "type", "source", "subject", "time", "datacontenttype"]
IDS = st.sampled_from(["1.2.3.0", "1.-2.3.7", "1.2.3.007", "1.2.3", "1.2.3.4.5", "1.2.>.0", "1.2.3." + "9" * 5000])
TIMES = st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-24", "24:00", "nan"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def valid(kind: type[EventData], request_id: str) -> dict[str, Any]:
    made: EventData
    if kind is GenerationCompleted:
        made = GenerationCompleted(request_id="1.2.3.0", text="да", finish_reason=FinishReason.STOP, model="m")
    else:
        made = GenerationRequested(
            request_id="1.2.3.0",
            account_id="1",
            chat_id="2",
            message_id="3",
            turns=(Turn(role=Role.USER, text="привет"),),
            deadline=datetime.now(UTC) + timedelta(seconds=60),
        )
    return {**json.loads(made.model_dump_json()), "request_id": request_id}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Any bytes, any JSON, or the JSON of an event in which some fields were changed."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
    kind = draw(st.sampled_from([GenerationCompleted, GenerationRequested]))
    data = valid(kind, draw(IDS))
    for field in draw(st.lists(st.sampled_from(sorted(data)), max_size=2)):
        data[field] = draw(JSON | TIMES | IDS)
    return json.dumps(data).encode()


def headers(prefix: str) -> st.SearchStrategy[dict[str, str]]:
    names = (
        st.sampled_from([prefix + name for name in ATTRIBUTES])
        | TEXT
        | st.sampled_from(["traceparent", "tracestate", "timokha-origin-reply-to", "timokha-origin-\n:", "Nats-Msg-Id"])
    )
    return st.dictionaries(names, TEXT | IDS | TIMES | st.sampled_from(sorted(TYPES)), max_size=8)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """As a transport hands them over: one has places, the other one has none."""
    prefix = draw(st.sampled_from([NATS_PREFIX, AMQP_PREFIX]))
    where = {draw(st.sampled_from(["place", "subject"])): draw(IDS | TEXT)}
    return from_headers(draw(headers(prefix)), draw(bodies()), prefix, **where)


@given(st.sampled_from([NATS_PREFIX, AMQP_PREFIX]), st.data())
def test_any_headers_and_bytes_make_an_event_that_travels_on_unchanged(prefix: str, data: st.DataObject) -> None:
    event = from_headers(data.draw(headers(prefix)), data.draw(st.binary(max_size=60)), prefix, subject="1.2.3.0")
    assert event.time.tzinfo is not None
    assert all(TOKEN.fullmatch(name) for name in event.headers)
    for mode in (NATS_PREFIX, AMQP_PREFIX):
        assert from_headers(to_headers(event, mode), event.body, mode) == event


@given(events())
def test_an_event_is_read_whole_or_refused(event: Event) -> None:
    try:
        data = event.data()
    except MalformedEvent as error:
        data, said = None, str(error)
    if data is None:
        assert len(said.splitlines()) == 1
    else:
        assert data.request_id == event.subject == str(event.request_id)
        assert type(data).model_validate_json(data.model_dump_json()) == data


@given(IDS | TEXT | st.from_regex(r"[0-9a-z_-]{0,66}\.-?[0-9]{0,20}\.[0-9]{0,12}\.[0-9]{0,12}"))
def test_a_request_id_is_written_as_it_was_read_and_safe_in_a_subject(text: str) -> None:
    try:
        request_id = RequestId.parse(text)
    except MalformedEvent as error:
        request_id, said = None, str(error)
    if request_id is None:
        assert len(said) < 400
    else:
        assert str(request_id) == text
        assert SUBJECT.fullmatch(text)
        assert RequestId.parse(str(request_id.next_revision())).revision == request_id.revision + 1
        request_id.is_up_to(5)


@given(events())
async def test_a_worker_settles_whatever_it_is_given_and_tells_whoever_can_be_told(event: Event) -> None:
    log = MemoryLog(clock=SystemClock())
    requests = log.subscribe(Channel.REQUESTS, "generate", lease=timedelta(seconds=60))
    settled = asyncio.Event()
    requests.put(event)
    [delivery] = await requests.fetch(1, timedelta(seconds=1))
    delivery.ack = delivery.discard = delivery.retry = _noting(settled)  # type: ignore[method-assign,assignment]
    requests._ready.put_nowait(delivery)

    async def handler(request: GenerationRequested) -> GenerationCompleted:
        return GenerationCompleted(
            request_id=request.request_id, text="да", finish_reason=FinishReason.STOP, model="test"
        )

    worker = Worker(
        host_handler(handler, clock=SystemClock(), random=Random(1)),
        subscription=requests,
        publisher=log,
        is_answered=reply_lookup(log),
        source="/test",
        limits=Limits(slots=1, attempts=5, grace=timedelta(seconds=20)),
        telemetry=noop_telemetry(),
        clock=SystemClock(),
        random=Random(1),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(10):
        await settled.wait()
        stop.set()
        requests.put(event)  # an idle fetch would take a second to see that it should stop
        await running
    delivery._end_lease()
    reply = await log.find(Channel.REPLIES, event.request_id) if _addressable(event) else None
    dead = await log.find(Channel.DEADLETTERS, event.request_id) if _addressable(event) else None
    assert (reply is not None) == (_addressable(event) and not _late(event))
    assert (dead is not None) == (_addressable(event) and not _is_request(event))
    assert reply is None or reply.data().request_id == event.subject


def _noting(settled: asyncio.Event) -> Any:
    async def settle(*_: object) -> None:
        settled.set()

    return settle


def _addressable(event: Event) -> bool:
    try:
        return bool(event.request_id)
    except MalformedEvent:
        return False


def _is_request(event: Event) -> bool:
    try:
        return isinstance(event.data(), GenerationRequested)
    except MalformedEvent:
        return False


def _late(event: Event) -> bool:
    if not _is_request(event):
        return False
    data = event.data()
    assert isinstance(data, GenerationRequested)
    return data.deadline <= datetime.now(UTC)


# AMQP: what its client reads from the wire

SHORT = st.binary(max_size=255)


def table(depth: int) -> bytes:
    """A table in a table in a table …, as AMQP writes it."""
    inner = b""
    for _ in range(depth):
        inner = b"\x01aF" + len(inner).to_bytes(4, "big") + inner
    return len(inner).to_bytes(4, "big") + inner


@given(st.binary(max_size=80).map(lambda rest: len(rest).to_bytes(4, "big") + rest))
@example(table(20_000))
def test_no_table_of_headers_breaks_the_connection(value: bytes) -> None:
    fix_client()
    consumed, read = METHODS["table"](value)
    assert consumed == len(value)
    assert isinstance(read, dict)


@given(SHORT.map(lambda text: bytes([len(text)]) + text))
def test_no_short_text_breaks_the_connection(value: bytes) -> None:
    fix_client()
    consumed, read = METHODS["shortstr"](value)
    assert consumed == len(value)
    read.encode()


PROPERTIES = {
    "content_type": st.none() | TEXT,
    "correlation_id": st.none() | TEXT,
    "reply_to": st.none() | TEXT,
    "message_id": st.none() | TEXT,
    "expiration": st.none() | st.floats() | st.integers(0, 2**64),
    "headers": st.dictionaries(
        st.sampled_from(["x-death", "x-delivery-count", "x-timokha-attempts", "x-timokha-sent", "cloudEvents:id"])
        | TEXT,
        st.none()
        | st.booleans()
        | TEXT
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.binary(max_size=9)
        | st.lists(
            st.dictionaries(st.sampled_from(["reason", "count"]), TEXT | st.integers(0, 9), max_size=2), max_size=2
        ),
        max_size=6,
    ),
}


@given(st.fixed_dictionaries(PROPERTIES), st.binary(max_size=60), st.booleans())
def test_any_amqp_message_is_a_message_of_ours(properties: dict[str, Any], body: bytes, redelivered: bool) -> None:
    incoming = SimpleNamespace(body=body, redelivered=redelivered, **properties)
    message = decode(incoming, datetime.now(UTC))  # type: ignore[arg-type]
    assert message.attempts >= 0
    assert all(isinstance(value, str) and "\n" not in name + value for name, value in message.headers.items())
    assert message.event().body == body


@pytest.fixture(autouse=True)
def _readable() -> None:
    fix_client()


@given(events())
def test_an_event_survives_amqp(event: Event) -> None:
    """Through the client's own encoder and decoder; what AMQP has no room for is cut or left out, never a fault."""
    sent = encode(AmqpMessage.of(event, reply_to="q"), datetime.now(UTC))
    frame = header.ContentHeader(0, len(event.body), sent.properties)
    read = header.ContentHeader()
    read.unmarshal(frame.marshal())
    assert isinstance(read.properties, commands.Basic.Properties)
    incoming = SimpleNamespace(body=event.body, redelivered=False, **dict(read.properties))
    got = decode(incoming, datetime.now(UTC))  # type: ignore[arg-type]
    again = got.event()
    assert again.body == event.body
    assert again.type == (event.type if event.type.isprintable() else "")
