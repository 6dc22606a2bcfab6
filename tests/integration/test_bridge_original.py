"""The original's bot and model servers beside ours: two programs that know nothing but its wire format."""

import asyncio

import aio_pika
import pytest
from pamqp import encode

from bridge.codecs import NO_ANSWER, NO_QUESTION
from events.rabbitmq import topology
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import Receiver
from events.schema import FinishReason
from events.transport import MAX_FETCH_WAIT
from tests.rabbitmq_queues import close, delete_queues

ORIGINAL = {"BRIDGE_CODEC": "original"}
IN = {**ORIGINAL, "BRIDGE_DIRECTION": "in"}


async def line(program) -> str:
    async with asyncio.timeout(60):
        return (await program.stdout.readline()).decode().rstrip("\n")


async def output(program) -> str:
    async with asyncio.timeout(60):
        return (await program.stdout.read()).decode()


async def model_server(world, queue: str = "rpc_queue", delay: float = 0.0):
    server = await world.program("original_model_server.py", queue, str(delay))
    assert await line(server) == "ready"
    return server


async def test_the_originals_bot_is_answered_by_our_functions(world) -> None:
    await world.bridge(**IN)
    await world.worker("jetstream")
    requester = await world.program("original_requester.py", "rpc_queue", "привет", "и тебе", "как дела?")
    assert await output(requester) == "как дела?\n"


async def test_the_originals_model_server_answers_our_edge(world) -> None:
    server = await model_server(world)
    await world.bridge(**ORIGINAL)
    [request_id] = await world.edge.ask([1])
    answer = (await world.edge.answers([request_id]))[request_id]
    assert answer.text == "ВОПРОС 1.2.1.0"
    assert answer.finish_reason is FinishReason.STOP
    assert await line(server) == "1 вопрос 1.2.1.0"


async def test_the_bridge_may_come_first_and_the_originals_server_declare_its_queue_after_it(world) -> None:
    await world.bridge(**ORIGINAL)
    await model_server(world)
    await world.edge.answers(await world.edge.ask([1]))


async def test_one_bridge_takes_in_and_sends_out_through_two_queues(world) -> None:
    await model_server(world, "models")
    await world.bridge(**ORIGINAL, BRIDGE_DIRECTION="both", BRIDGE_IN_QUEUE="bots", BRIDGE_OUT_QUEUE="models")
    requester = await world.program("original_requester.py", "bots", "привет")
    assert await output(requester) == "ПРИВЕТ\n"


async def test_a_queue_that_was_declared_otherwise_is_used_as_it_is(world, broker) -> None:
    async with topology.open_channel(broker.consuming) as channel:
        await topology.declare(channel, topology.Queue("rpc_queue", durable=True))
    await world.bridge(**IN)
    await world.worker("jetstream")
    requester = await world.program("original_requester.py", "rpc_queue", "привет")
    assert await output(requester) == "привет\n"


async def test_two_equal_questions_of_one_requester_are_two_requests(world) -> None:
    await world.bridge(**IN)
    await world.worker("jetstream")
    for _ in range(2):
        requester = await world.program("original_requester.py", "rpc_queue", "привет")
        assert await output(requester) == "привет\n"
    assert await world.edge.stored() == 2


async def test_a_question_that_the_originals_server_drops_is_asked_again_and_then_fails(world) -> None:
    server = await model_server(world)
    await world.bridge(**ORIGINAL, BRIDGE_ATTEMPTS="2")
    event = world.edge.event("1.2.1.0", text="fail", seconds=4)
    await world.edge.publish(event)
    failed = (await world.edge.answers(["1.2.1.0"]))["1.2.1.0"]
    assert failed.reason == "attempts_exhausted"
    assert [await line(server), await line(server)] == ["1 fail", "1 fail"]


BAD_TEXT = "bad"
"""Stands for bytes that are not UTF-8 where `forging` is at work."""


def forging(encoder):
    return lambda text: b"\x02\xff\xfe" if text == BAD_TEXT else encoder(text)


BAD = {
    "not UTF-8": AmqpMessage(b"\xff\xfe", correlation_id="c", reply_to="bad-replies"),
    "no reply_to": AmqpMessage(b"hello", correlation_id="c"),
    "no correlation_id": AmqpMessage(b"hello", reply_to="bad-replies"),
    "bytes": AmqpMessage(b"x" * 5_000_000, correlation_id="c", reply_to="bad-replies"),
    "sent by a bridge": AmqpMessage(b"x", {"timokha-bridge": "out"}, correlation_id="c", reply_to="bad-replies"),
}


TOLD = {"not UTF-8": NO_QUESTION, "bytes": NO_ANSWER}
"""Whose requester can be told, and is none of our bridges."""


async def test_what_can_not_be_a_request_is_a_dead_letter_its_asker_is_told_and_the_next_request_works(
    world, broker, js, said, poll
) -> None:
    told = await Receiver.open(broker, topology.Queue("bad-replies", durable=False), prefetch=16)
    bridge = await world.bridge(**IN)
    await world.worker("jetstream")
    for message in BAD.values():
        await broker.sender.send("rpc_queue", message)
    requester = await world.program("original_requester.py", "rpc_queue", "привет")
    assert await output(requester) == "привет\n"

    async def all_dead() -> bool:
        return (await js.stream_info("DEADLETTERS")).state.messages == len(BAD)

    await poll(all_dead)
    refused = [entry for entry in said(bridge).splitlines() if '"request.refused"' in entry]
    for why in BAD:
        assert sum(why in entry for entry in refused) == 1, why
    answers: list[bytes] = []
    async with asyncio.timeout(30):
        while len(answers) < len(TOLD):
            answers += [received.message.body for received in await told.fetch(16, MAX_FETCH_WAIT)]
    assert sorted(answers) == sorted(text.encode() for text in TOLD.values())
    assert await world.edge.stored() == 1 + len(TOLD)
    await close(told)
    await delete_queues(broker.consuming, "bad-replies")


async def test_a_question_that_fails_is_answered_so_that_its_user_is_not_busy_for_ever(world, js, poll) -> None:
    """Its worker comes too late, and nobody but us looks at the clock."""
    await world.bridge(**IN, BRIDGE_DEADLINE="0.1")
    requester = await world.program("original_requester.py", "rpc_queue", "привет")

    async def asked() -> bool:
        return (await js.stream_info("REQUESTS")).state.messages == 1

    await poll(asked)
    await world.worker("jetstream")
    assert await output(requester) == f"{NO_ANSWER}\n"


async def test_an_answer_whose_requester_has_gone_is_dropped_with_a_log_line_and_the_next_request_works(
    world, broker, wait_for_log
) -> None:
    bridge = await world.bridge(**IN)
    await world.worker("jetstream")
    await broker.sender.send("rpc_queue", AmqpMessage(b"hello", correlation_id="c", reply_to="nobody-listens"))
    await wait_for_log(bridge, "answer.dropped")
    await wait_for_log(bridge, "nobody-listens")
    requester = await world.program("original_requester.py", "rpc_queue", "привет")
    assert await output(requester) == "привет\n"


async def test_a_reply_that_nobody_asked_for_or_can_read_is_dropped_and_the_next_one_counts(
    world, broker, wait_for_log
) -> None:
    await model_server(world)
    bridge = await world.bridge(**ORIGINAL)
    for message in (
        AmqpMessage(b"?", correlation_id="00000000-0000-0000-0000-000000000000"),
        AmqpMessage(b"?", correlation_id="*.>"),
        AmqpMessage(b"?"),
        AmqpMessage(b"\xff"),
    ):
        await broker.sender.send("timokha.replies.original", message)
    await world.edge.answers(await world.edge.ask([1]))
    await wait_for_log(bridge, "reply.dropped")


@pytest.mark.parametrize(
    "odd",
    [
        {"correlation_id": BAD_TEXT, "reply_to": "r"},
        {"correlation_id": "c", "reply_to": "r", "headers": {BAD_TEXT: "x"}},
    ],
)
async def test_properties_that_no_client_would_send_do_not_stop_the_bridge(world, odd, monkeypatch) -> None:
    await world.bridge(**IN)
    await world.worker("jetstream")
    # AMQP's own text is UTF-8, and so is every string here: these bytes can only be forged.
    forged = forging(encode.short_string)
    monkeypatch.setitem(encode.METHODS, "shortstr", forged)
    monkeypatch.setattr(encode, "short_string", forged)
    connection = await aio_pika.connect(world.rabbitmq)
    async with connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"x", **odd), routing_key="rpc_queue")
    requester = await world.program("original_requester.py", "rpc_queue", "привет")
    assert await output(requester) == "привет\n"


async def test_headers_that_are_no_text_do_not_stop_the_bridge(world) -> None:
    await world.bridge(**IN)
    await world.worker("jetstream")
    connection = await aio_pika.connect(world.rabbitmq)
    async with connection:
        channel = await connection.channel()
        odd = aio_pika.Message(b"x", headers={"b": [1], "c": 2.5, "d": "a\r\nb: c"}, correlation_id="c", reply_to="r")
        await channel.default_exchange.publish(odd, routing_key="rpc_queue")
    requester = await world.program("original_requester.py", "rpc_queue", "привет")
    assert await output(requester) == "привет\n"
