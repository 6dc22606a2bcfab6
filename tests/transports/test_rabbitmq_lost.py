"""A receiver goes on whatever becomes of its queue, its channel and its connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from events.errors import SettingsError, TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker, connect
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import Receiver
from events.runtime.clock import SystemClock
from tests.rabbitmq_node import RabbitMQNode
from tests.rabbitmq_queues import delete_queues

SECOND = timedelta(seconds=1)
QUEUE = topology.Queue("lost", arguments=topology.QUORUM)
TRANSIENT = topology.original_queue("lost")

Lose = Callable[[Broker, RabbitMQNode], Awaitable[object]]


@pytest.fixture
async def broker(rabbitmq_url: str) -> AsyncIterator[Broker]:
    async with connect(SecretStr(rabbitmq_url), name="test", clock=SystemClock()) as broker:
        await delete_queues(broker.consuming, QUEUE.name)
        yield broker


async def arrives(broker: Broker, receiver: Receiver, body: bytes) -> None:
    """Within half a minute; sent again as long as nobody takes it."""
    async with asyncio.timeout(30):
        while True:
            with suppress(TransportError):
                await broker.sender.send(QUEUE.name, AmqpMessage(body))
            for received in await receiver.fetch(9, SECOND):
                await received.ack()
                if received.message.body == body:
                    return


async def delete(broker: Broker, _: RabbitMQNode) -> None:
    await delete_queues(broker.consuming, QUEUE.name)


async def delete_with_the_tool(_: Broker, node: RabbitMQNode) -> None:
    await node.control("delete_queue", QUEUE.name)


async def close_connections(_: Broker, node: RabbitMQNode) -> None:
    await node.control("close_all_connections", "test")


async def redeclare_otherwise(broker: Broker, _: RabbitMQNode) -> None:
    await delete_queues(broker.consuming, QUEUE.name)
    with suppress(TransportError):  # the receiver may have been sooner
        await topology.adopt(broker.consuming, replace(QUEUE, durable=False, arguments={}))


@pytest.mark.parametrize("queue", [QUEUE, TRANSIENT], ids=["ours", "the original's"])
@pytest.mark.parametrize("lose", [delete, delete_with_the_tool, close_connections, redeclare_otherwise])
async def test_a_receiver_gets_what_is_sent_after_a_loss(
    broker: Broker, shared_rabbitmq: RabbitMQNode, lose: Lose, queue: topology.Queue
) -> None:
    receiver = await Receiver.open(broker, queue, consumers=2)
    await arrives(broker, receiver, b"before")
    await lose(broker, shared_rabbitmq)
    await arrives(broker, receiver, b"after")
    assert receiver.consumers == 2


async def test_a_receiver_outlives_its_channel_and_gets_again_what_it_had_in_hand(broker: Broker) -> None:
    receiver = await Receiver.open(broker, QUEUE, prefetch=5)
    for body in (b"1", b"2"):
        await broker.sender.send(QUEUE.name, AmqpMessage(body))
    in_hand = [*await receiver.fetch(1, SECOND), *await receiver.fetch(1, SECOND)]
    await in_hand[0].ack()
    incoming = in_hand[0]._incoming
    await incoming.channel.basic_ack(incoming.delivery_tag)  # twice: the broker closes the channel
    async with asyncio.timeout(20):
        while not (again := await receiver.fetch(1, SECOND)):
            pass
    assert again[0].message.body == b"2"
    assert in_hand[1].stale
    await again[0].ack()
    await arrives(broker, receiver, b"after")


async def test_a_stopped_receiver_does_not_come_back(broker: Broker) -> None:
    receiver = await Receiver.open(broker, QUEUE)
    await receiver.stop(last_attempt=2)
    await delete_queues(broker.consuming, QUEUE.name)
    await topology.adopt(broker.consuming, QUEUE)
    await broker.sender.send(QUEUE.name, AmqpMessage(b"x"))
    broker.upkeep.wake()
    assert await receiver.fetch(1, SECOND) == []
    assert await topology.consumer_counts(broker.consuming, QUEUE) == [0]


async def test_a_vhost_that_is_deleted_ends_the_process_that_used_it(real_rabbitmq: RabbitMQNode) -> None:
    await real_rabbitmq.control("add_vhost", "brief")
    await real_rabbitmq.control("set_permissions", "-p", "brief", "guest", ".*", ".*", ".*")
    async with connect(SecretStr(f"{real_rabbitmq.url}brief"), name="test", clock=SystemClock()) as broker:
        await real_rabbitmq.control("delete_vhost", "brief")
        async with asyncio.timeout(30):
            with pytest.raises(SettingsError, match="RABBITMQ_URL"):
                await broker.upkeep.failure()


async def test_what_nobody_had_fetched_when_the_connection_was_lost_is_no_fault(
    broker: Broker, shared_rabbitmq: RabbitMQNode
) -> None:
    receiver = await Receiver.open(broker, QUEUE, prefetch=5)
    await broker.sender.send(QUEUE.name, AmqpMessage(b"x"))
    async with asyncio.timeout(20):
        while receiver._ready.empty():  # noqa: ASYNC110 - it is the client that puts it there
            await asyncio.sleep(0.01)
    lost = asyncio.Event()
    broker.consuming.close_callbacks.add(lambda *_: lost.set())
    await close_connections(broker, shared_rabbitmq)
    await lost.wait()
    async with asyncio.timeout(30):
        while not (fetched := await receiver.fetch(9, SECOND)):
            pass
    assert [received.message.body for received in fetched] == [b"x"]
    await fetched[0].ack()
