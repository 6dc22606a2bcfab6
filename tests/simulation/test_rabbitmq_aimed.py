"""What a seed aims at the moment in which the simulated RabbitMQ gets a method."""

import asyncio

import pytest
from pamqp import commands

from events.errors import TransportError
from events.rabbitmq.connection import Broker
from tests.simulation.rabbitmq.connection import Connection
from tests.simulation.rabbitmq.server import SimulatedRabbitMQ
from tests.simulation.rabbitmq_stories import QUEUE, send, sent_again, told


def test_a_fault_that_is_aimed_at_a_method_strikes_when_one_of_the_chosen_connection_comes() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        met: list[tuple[str, int]] = []

        def cut(connection: Connection, channel: int) -> None:
            met.append((connection.name, channel))
            connection.cut()

        server.aimed.at(commands.Basic.Publish, lambda connection: connection.name == "test consumes", cut)
        server.aimed.at(commands.Basic.Publish, lambda connection: connection.name == "test publishes", cut)
        with pytest.raises(TransportError):
            await send(broker, b"x")
        await sent_again(broker, b"y")
        assert met == [("test publishes", 1)]

    told(story)


def test_a_broker_that_freezes_at_a_method_carries_it_out_when_it_thaws() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        server.aimed.at(commands.Basic.Publish, lambda _: True, lambda *_: server.freeze())
        sending = asyncio.create_task(send(broker, b"x"))
        await asyncio.sleep(2)
        assert not server.is_at_work
        assert server.store.queues[QUEUE].ready == 0
        server.thaw()
        await sending
        assert server.store.queues[QUEUE].ready == 1

    told(story)


def test_a_fault_that_is_taken_back_does_not_strike() -> None:
    async def story(server: SimulatedRabbitMQ, broker: Broker) -> None:
        take_back = server.aimed.at(commands.Basic.Publish, lambda _: True, lambda *_: server.freeze())
        take_back()
        take_back()
        await send(broker, b"x")
        assert server.is_at_work

    told(story)
