"""What a seed may do to the simulated RabbitMQ, on virtual time, and what our adapters make of it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from pamqp import commands

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import Receiver
from events.rabbitmq.sender import Unroutable, Unsendable
from tests.simulation.rabbitmq.frames import FRAME_MAX, PROTOCOL_HEADER, method_frame
from tests.simulation.rabbitmq.server import SimulatedRabbitMQ
from tests.simulation.rabbitmq_stories import QUEUE, SECOND, received, send, sent_again, told


@pytest.mark.parametrize(
    "disturb",
    [
        lambda server: server.cut(),
        lambda server: server.cut("test consumes"),
        lambda server: server.cut("test publishes"),
        lambda server: server.close_connections(),
        lambda server: server.close_channels(),
        lambda server: server.close_channels("test consumes", 406, "unknown delivery tag 7"),
        lambda server: server.delete_queue(QUEUE),
    ],
    ids=["cut", "cut consumers", "cut publishers", "close", "close channels", "406", "delete"],
)
@pytest.mark.parametrize("seed", range(5))
def test_what_is_sent_after_a_disturbance_arrives(disturb: Callable[[SimulatedRabbitMQ], None], seed: int) -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        receiver = await Receiver.open(broker, topology.REQUESTS)
        await send(broker, b"before")
        await (await received(receiver)).ack()
        disturb(server)
        await sent_again(broker, b"after")
        while (message := await received(receiver)).message.body != b"after":
            await message.ack()
        await message.ack()

    told(story, seed)


def test_a_lost_confirmation_is_a_message_that_is_there_and_was_not_confirmed() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.lose_confirms(1)
        results = await asyncio.gather(*(send(broker, body) for body in (b"1", b"2", b"3")), return_exceptions=True)
        assert [isinstance(result, TransportError) for result in results].count(True) == 1
        assert server.store.queues[QUEUE].ready == 3
        await send(broker, b"4")

    assert told(story).time() >= 5  # the client has waited for it


def test_a_publish_is_returned_or_refused_and_the_next_one_is_taken() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.return_publishes(1)
        with pytest.raises(Unroutable):
            await send(broker, b"returned")
        server.nack_publishes(1)
        with pytest.raises(TransportError, match="the queue is full"):
            await send(broker, b"refused")
        assert server.store.queues[QUEUE].ready == 0
        await send(broker, b"taken")
        assert server.store.queues[QUEUE].ready == 1

    told(story)


def test_a_message_that_is_too_large_is_refused_for_good_and_the_next_one_is_taken() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.faults.max_message_size = 1000
        with pytest.raises(Unsendable, match="max_message_size"):
            await send(broker, b"x" * 1001)
        await sent_again(broker, b"x" * 1000)
        assert server.store.queues[QUEUE].ready == 1

    told(story)


def test_a_message_that_is_requeued_early_comes_twice_and_its_first_receiver_may_still_settle_it() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        receivers = [await Receiver.open(broker, topology.REQUESTS) for _ in range(2)]
        await send(broker, b"x")
        first = await received(receivers[0])
        server.requeue_early(QUEUE)
        second = await received(receivers[1])
        assert (second.message.body, second.message.attempts) == (b"x", 1)
        await first.ack()
        await second.ack()
        await send(broker, b"y")
        assert (await received(receivers[0])).message.body == b"y"
        assert not broker.problem()

    told(story)


@pytest.mark.parametrize("empty", [False, True])
def test_a_killed_broker_comes_back_with_what_it_had_or_with_nothing(empty: bool) -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        receiver = await Receiver.open(broker, topology.REQUESTS)
        for body in (b"in hand", b"waits"):
            await send(broker, body)
        in_hand = await received(receiver)
        server.kill()
        await asyncio.sleep(10)
        assert broker.problem() == "RabbitMQ is away"
        assert in_hand.stale
        await (server.start_empty() if empty else server.start())
        await sent_again(broker, b"after")
        bodies = {}
        while b"after" not in bodies:
            message = await received(receiver)
            bodies[message.message.body] = message.message.attempts
            await message.ack()
        assert bodies == ({b"after": 0} if empty else {b"in hand": 1, b"waits": 0, b"after": 0})

    told(story)


def test_a_frozen_broker_does_nothing_and_then_all_that_it_was_asked() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        await broker.sender.send(topology.retry_queue(SECOND).name, AmqpMessage(b"later"))
        server.freeze()
        with pytest.raises(TransportError):
            await send(broker, b"asked while it was frozen")
        assert server.store.queues[QUEUE].ready == 0
        server.thaw()
        receiver = await Receiver.open(broker, topology.REQUESTS, prefetch=2)
        bodies = {(await received(receiver)).message.body for _ in range(2)}
        assert bodies == {b"later", b"asked while it was frozen"}

    told(story)


def test_a_client_finds_out_by_its_heartbeats_that_the_broker_is_frozen() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.freeze()
        while not broker.problem():  # noqa: ASYNC110 - the client tells nobody
            await asyncio.sleep(1)
        server.thaw()
        await sent_again(broker, b"x")
        assert not broker.problem()

    assert 10 < told(story).time() < 60


def test_a_broker_finds_out_by_its_heartbeats_that_a_client_is_gone() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        reader, writer = await asyncio.open_connection("rabbitmq", 5672)
        methods = (
            commands.Connection.StartOk({"connection_name": "silent"}, response="\0guest\0guest"),
            commands.Connection.TuneOk(2047, FRAME_MAX, heartbeat=10),
            commands.Connection.Open("/"),
        )
        writer.write(PROTOCOL_HEADER + b"".join(method_frame(0, method) for method in methods))
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert [connection.name for connection in server.connections] == ["test publishes", "test consumes"]

    assert 20 <= told(story).time() < 40


def test_a_broker_that_refuses_connections_is_waited_for() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.refusing = True
        server.cut()
        await asyncio.sleep(10)
        assert broker.problem() == "RabbitMQ is away"
        server.refusing = False
        await sent_again(broker, b"x")

    told(story)


def test_a_broker_without_memory_takes_one_message_and_the_next_when_it_has_memory_again() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.raise_alarm()
        await send(broker, b"1")
        with pytest.raises(TransportError):
            await send(broker, b"2")
        assert server.store.queues[QUEUE].ready == 1
        server.end_alarm()
        await sent_again(broker, b"3")

    told(story)


def test_a_seed_replays() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        receiver = await Receiver.open(broker, topology.REQUESTS, consumers=3)
        await asyncio.gather(*(send(broker, b"%d" % number) for number in range(20)))
        server.cut("test consumes")
        bodies: set[bytes] = set()
        while len(bodies) < 20:
            message = await received(receiver)
            with suppress(TransportError):
                await message.ack()
                bodies.add(message.message.body)

    runs = [told(story, seed) for seed in (7, 7, 8)]
    steps = [(run.steps, run.time()) for run in runs]
    assert steps[0] == steps[1] != steps[2]
