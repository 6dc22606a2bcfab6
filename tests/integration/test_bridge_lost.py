"""Queues that were deleted, or have gone with their broker's data, are made again: what is asked then is answered."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import Receiver
from events.runtime.clock import SystemClock
from events.transport import MAX_FETCH_WAIT
from tests.rabbitmq_queues import close, delete_queues

WITHIN = 30
"""Seconds in which all is as it was."""

OURS = [queue.name for queue in topology.OURS]
CALLBACK = topology.Queue("requester", durable=False)


async def ask(broker, world, queue: str, number: int, codec: str) -> bytes:
    """As a requester does that waits for its answer, and asks again where there is no queue."""
    receiver = await Receiver.open(broker, CALLBACK, prefetch=16)
    event = AmqpMessage.of(world.edge.event(f"77.8.{number}.0", text=f"вопрос {number}"), reply_to=CALLBACK.name)
    message = replace(event, correlation_id=f"mine-{number}")
    if codec == "original":
        message = AmqpMessage(f"вопрос {number}".encode(), reply_to=CALLBACK.name, correlation_id=f"mine-{number}")
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await broker.sender.send(queue, message)
                break
            except TransportError:
                await asyncio.sleep(0.2)
        while True:
            for received in await receiver.fetch(16, MAX_FETCH_WAIT):
                await received.ack()
                if received.message.correlation_id == message.correlation_id:
                    await close(receiver)
                    return received.message.body


async def test_our_workers_answer_again_when_every_queue_was_deleted(world, broker) -> None:
    await world.worker("rabbitmq")
    await world.bridge()
    await world.edge.answers(await world.edge.ask([1]))
    await delete_queues(broker.consuming, *OURS)
    await world.edge.answers(await world.edge.ask([2]), WITHIN)


async def test_a_worker_alone_makes_all_of_our_queues_again(world, broker, poll) -> None:
    await world.worker("rabbitmq")
    await delete_queues(broker.consuming, *OURS)

    async def all_there() -> bool:
        try:
            async with topology.open_channel(broker.consuming) as channel:
                for queue in topology.OURS:
                    await topology.declare(channel, replace(queue, passive=True))
        except TransportError:
            return False
        return True

    await poll(all_there, within=WITHIN)


async def test_the_originals_servers_answer_again_when_its_queues_were_deleted(world, broker) -> None:
    await world.program("original_model_server.py", "rpc_queue", "0")
    await world.bridge(BRIDGE_CODEC="original")
    await world.edge.answers(await world.edge.ask([1]))
    await delete_queues(broker.consuming, "rpc_queue", topology.ORIGINAL_REPLIES.name)
    await world.program("original_model_server.py", "rpc_queue", "0")
    await world.edge.answers(await world.edge.ask([2]), WITHIN)


@pytest.mark.parametrize("codec", ["events", "original"])
async def test_requesters_are_answered_again_when_their_queue_was_deleted(world, broker, codec) -> None:
    await world.worker("jetstream")
    await world.bridge(BRIDGE_DIRECTION="in", BRIDGE_CODEC=codec, BRIDGE_IN_QUEUE="asked")
    assert await ask(broker, world, "asked", 1, codec)
    await delete_queues(broker.consuming, "asked")
    assert await ask(broker, world, "asked", 2, codec)


async def test_a_queue_that_somebody_had_declared_otherwise_is_made_anew_as_ours(world, broker) -> None:
    await delete_queues(broker.consuming, "asked")
    await topology.adopt(broker.consuming, topology.Queue("asked", arguments={"x-max-length": 5}))
    await world.worker("jetstream")
    await world.bridge(BRIDGE_DIRECTION="in", BRIDGE_IN_QUEUE="asked")
    assert await ask(broker, world, "asked", 1, "events")
    await delete_queues(broker.consuming, "asked")
    assert await ask(broker, world, "asked", 2, "events")


@pytest.mark.parametrize("codec", ["events", pytest.param("original", marks=pytest.mark.slow)])
async def test_all_is_answered_again_when_rabbitmq_comes_back_empty(fragile_world, own_rabbitmq, codec) -> None:
    world = fragile_world
    both = {"BRIDGE_DIRECTION": "both", "BRIDGE_IN_QUEUE": "asked", "BRIDGE_OUT_QUEUE": topology.REQUESTS.name}
    if codec == "original":
        both["BRIDGE_OUT_QUEUE"] = "rpc_queue"
    bridge = await world.bridge(**both, BRIDGE_CODEC=codec)
    await (
        world.worker("rabbitmq") if codec == "events" else world.program("original_model_server.py", "rpc_queue", "0")
    )
    await world.edge.answers(await world.edge.ask([1]))

    await own_rabbitmq.kill()
    await own_rabbitmq.lose_data()
    await own_rabbitmq.start()

    if codec == "original":
        await world.program("original_model_server.py", "rpc_queue", "0")
    await world.edge.answers(await world.edge.ask([2]), WITHIN)
    async with connect(SecretStr(own_rabbitmq.url), name="test", clock=SystemClock()) as broker:
        assert await ask(broker, world, "asked", 3, codec)
    assert "Traceback" not in bridge.log.read_text()


@pytest.mark.parametrize("name", ["bridge", "generate"])
@pytest.mark.slow
async def test_a_process_that_can_not_make_a_queue_again_says_so_and_ends(world, broker, name) -> None:
    process = await world.start(name, GENERATE_TRIGGER="rabbitmq")
    await delete_queues(broker.consuming, topology.REPLIES.name)
    while True:
        try:  # before the process does
            async with topology.open_channel(broker.consuming) as channel:
                await topology.declare(channel, topology.Queue(topology.REPLIES.name, arguments={"x-max-length": 5}))
            break
        except TransportError:
            await delete_queues(broker.consuming, topology.REPLIES.name)
    async with asyncio.timeout(WITHIN):
        last = str(await process.ended())
    await delete_queues(broker.consuming, topology.REPLIES.name)
    assert "exit code 1: timokha: RabbitMQ has 'timokha.replies' with other settings (its " in last
    assert "; delete it" in last
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize("name", ["bridge", pytest.param("generate", marks=pytest.mark.slow)])
async def test_a_process_that_rabbitmq_lets_in_no_more_says_so_and_ends(fragile_world, own_rabbitmq, name) -> None:
    process = await fragile_world.start(name, GENERATE_TRIGGER="rabbitmq")
    await own_rabbitmq.control("change_password", "guest", "another")
    await own_rabbitmq.control("close_all_connections", "test")
    async with asyncio.timeout(WITHIN):
        last = str(await process.ended())
    assert "exit code 2: timokha: RabbitMQ at" in last
    assert "refused the user or its password; correct RABBITMQ_URL" in last
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize("rabbitmq_kind", ["real"], indirect=True)  # the simulated one knows no rights
async def test_a_bridge_that_may_not_send_any_more_says_so_and_ends(fragile_world, own_rabbitmq) -> None:
    async with connect(SecretStr(own_rabbitmq.url), name="test", clock=SystemClock()) as broker:
        worker = await Receiver.open(broker, topology.REQUESTS, consumers=8)  # one that never answers
        bridge = await fragile_world.bridge()
        await own_rabbitmq.control("set_permissions", "guest", ".*", "^timokha", ".*")
        await fragile_world.edge.ask(range(8))
        async with asyncio.timeout(2 * WITHIN):
            last = str(await bridge.ended())
        await close(worker)
    assert "exit code 1: timokha: RabbitMQ did not confirm a message for 'timokha.requests' (ACCESS_REFUSED" in last
    assert "Traceback" not in bridge.log.read_text()


@pytest.mark.slow
async def test_processes_outlive_a_rabbitmq_that_is_frozen_for_long(fragile_world, own_rabbitmq) -> None:
    worker = await fragile_world.worker("rabbitmq")
    bridge = await fragile_world.bridge()
    own_rabbitmq.freeze()
    try:
        ids = await fragile_world.edge.ask([1])
        await asyncio.sleep(25)  # longer than anything here waits for an answer
    finally:
        own_rabbitmq.thaw()
    await fragile_world.edge.answers(ids)
    assert worker.pid
    assert bridge.pid
