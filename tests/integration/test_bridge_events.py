"""Requesters and workers on RabbitMQ that speak in our events, and what only looks as if they did."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from events import subjects
from events.event import Event
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import Receiver
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import FailureReason, FinishReason, GenerationCompleted, GenerationFailed
from events.transport import Channel
from functions.worker.settling import origin_headers
from tests.rabbitmq_queues import close, delete_queues

IN = {"BRIDGE_DIRECTION": "in"}
SECOND = timedelta(seconds=1)
CALLBACK = "requester"


@pytest.fixture
async def requester(world, broker):
    """`requester.send(message)`, and the next answer with `await requester.answer()`."""
    callback = topology.Queue(CALLBACK, durable=False)
    await delete_queues(broker.consuming, CALLBACK)
    receiver = await Receiver.open(broker, callback, prefetch=16)

    class Requester:
        async def send(self, message: AmqpMessage) -> None:
            await broker.sender.send("timokha.requests", message)

        async def answer(self) -> AmqpMessage:
            async with asyncio.timeout(60):
                while True:
                    for received in await receiver.fetch(1, SECOND):
                        await received.ack()
                        return received.message

    yield Requester()
    await close(receiver)
    await delete_queues(broker.consuming, CALLBACK)


def asking(world, number: int, text: str = "привет") -> AmqpMessage:
    """As a requester with request ids and correlation ids of its own asks."""
    event = world.edge.event(f"77.8.{number}.0", text=text)
    return replace(AmqpMessage.of(event, reply_to=CALLBACK), correlation_id=f"mine-{number}")


async def test_a_requester_is_answered_under_its_own_ids(world, requester) -> None:
    await world.bridge(**IN)
    await world.worker("jetstream")
    for number in range(3):
        await requester.send(asking(world, number, f"вопрос {number}"))
    answers = {answer.correlation_id: answer.event().data() for answer in [await requester.answer() for _ in range(3)]}
    assert {key: (data.request_id, data.text) for key, data in answers.items()} == {
        f"mine-{number}": (f"77.8.{number}.0", f"вопрос {number}") for number in range(3)
    }


async def test_a_requester_is_told_that_there_will_be_no_answer(world, requester, js) -> None:
    await world.bridge(**IN)
    await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_generate_consumer()
    await requester.send(asking(world, 1))
    requests = await JetStreamSubscription.bind(js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=Random())
    async with asyncio.timeout(30):
        while not (deliveries := await requests.fetch(1, SECOND)):
            pass
    [taken] = deliveries
    failed = GenerationFailed(request_id=taken.event.subject, reason=FailureReason.REJECTED)
    await JetStreamLog(js).publish(
        Channel.REPLIES,
        Event.of(failed, source="/test", time=datetime.now(UTC), headers=origin_headers(taken.event.headers)),
    )
    await taken.ack()
    answer = await requester.answer()
    assert answer.correlation_id == "mine-1"
    assert (answer.event().data().request_id, answer.event().data().reason) == ("77.8.1.0", "rejected")


def no_request(world) -> dict[str, AmqpMessage]:
    """By what the bridge's log says about each."""
    good = asking(world, 1)
    completed = world.edge.event("77.8.2.0")
    return {
        "Invalid JSON": replace(good, body=b"\xff\xfe"),
        "no reply_to": replace(good, reply_to=""),
        "no correlation_id": replace(good, correlation_id=""),
        "bytes": replace(good, body=b"x" * 5_000_000, correlation_id="large"),
        "unknown event type": AmqpMessage(b"hello", correlation_id="c", reply_to=CALLBACK),
        "differs from the subject": replace(AmqpMessage.of(replace(completed, subject="77.8.3.0")), reply_to=CALLBACK),
        "sent by a bridge": replace(good, headers={**good.headers, "timokha-bridge": "out"}),
    }


TOLD = {"mine-1": "77.8.1.0", "large": "77.8.1.0", "c": "", "77.8.3.0": "77.8.3.0"}
"""Correlation ids of those among them whose requester can be told, and the request id that they are told of."""


async def test_what_can_not_be_a_request_is_a_dead_letter_its_asker_is_told_and_the_next_request_works(
    world, requester, js, said, poll
) -> None:
    bridge = await world.bridge(**IN)
    await world.worker("jetstream")
    bad = no_request(world)
    told: dict[str, Event] = {}
    for number, message in enumerate(bad.values()):
        await requester.send(message)
        await requester.send(asking(world, 100 + number))
        while (answer := await requester.answer()).correlation_id != f"mine-{100 + number}":
            told[answer.correlation_id] = answer.event()
    while told.keys() != TOLD.keys():
        answer = await requester.answer()
        told[answer.correlation_id] = answer.event()
    assert {key: event.subject for key, event in told.items() if TOLD[key]} == {k: v for k, v in TOLD.items() if v}
    assert [told[key].data().reason for key in ("mine-1", "large")] == ["malformed", "rejected"]

    async def all_dead() -> bool:
        return (await js.stream_info("DEADLETTERS")).state.messages == len(bad)

    await poll(all_dead)
    refused = [entry for entry in said(bridge).splitlines() if '"request.refused"' in entry]
    assert len(refused) == len(bad)
    for why in bad:
        assert sum(why in entry for entry in refused) == 1, (why, refused)


def no_reply(world, request_id: str) -> dict[str, AmqpMessage]:
    """By what the bridge's log says about each."""
    data = GenerationCompleted(request_id=request_id, text="x", finish_reason=FinishReason.STOP, model="m")
    good = Event.of(data, source="/test", time=datetime.now(UTC))
    long = Event.of(data.model_copy(update={"text": "x" * 5_000_000}), source="/test", time=datetime.now(UTC))
    return {
        "Invalid JSON": AmqpMessage.of(replace(good, body=b"\xff")),
        "bytes; at most": AmqpMessage.of(long),
        "is not an answer to": AmqpMessage.of(world.edge.event(request_id)),
        "unknown event type": AmqpMessage.of(replace(good, type="somebody.elses.v1")),
        "request id": AmqpMessage(b"hello"),
    }


async def test_what_can_not_be_a_reply_is_dropped_with_a_log_line_and_the_next_one_counts(
    world, broker, said, poll
) -> None:
    bridge = await world.bridge()
    bad = no_reply(world, "1.2.1.0")
    for message in bad.values():
        await broker.sender.send(topology.REPLIES.name, message)
    await world.worker("rabbitmq")
    [request_id] = await world.edge.ask([1])
    answers = await world.edge.answers([request_id])
    assert answers[request_id].text == f"вопрос {request_id}"

    async def all_dropped() -> bool:
        return said(bridge).count('"reply.dropped"') == len(bad)

    await poll(all_dropped)
    dropped = [entry for entry in said(bridge).splitlines() if '"reply.dropped"' in entry]
    for why in bad:
        assert sum(why in entry for entry in dropped) == 1, (why, dropped)
    assert await world.edge.stored() == 1
