"""Tell a story of the simulated RabbitMQ and one client of it, our adapters, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

from pydantic import SecretStr
from structlog.testing import capture_logs

from events.errors import TransportError
from events.rabbitmq import topology
from events.rabbitmq.connection import Broker, connect
from events.rabbitmq.message import AmqpMessage
from events.rabbitmq.receiver import ReceivedMessage, Receiver
from events.runtime.clock import SystemClock
from tests.simulation.determinism import determined
from tests.simulation.loop import SimulationLoop
from tests.simulation.rabbitmq.server import SimulatedRabbitMQ

URL = SecretStr("amqp://guest:guest@rabbitmq:5672/")
QUEUE = topology.REQUESTS.name
SECOND = timedelta(seconds=1)

Story = Callable[[SimulatedRabbitMQ, Broker], Coroutine[None, None, None]]


def told(story: Story, seed: int = 1) -> SimulationLoop:
    """Run `story` with a broker and a client."""
    loop = SimulationLoop(Random(seed))

    async def tell() -> None:
        server = SimulatedRabbitMQ()
        await server.listen("rabbitmq", 5672)
        async with client() as broker:
            await story(server, broker)

    with determined(loop, Random(seed)), capture_logs():
        loop.run_until_complete(tell())
    return loop


@asynccontextmanager
async def client() -> AsyncIterator[Broker]:
    async with connect(URL, name="test", clock=SystemClock()) as broker:
        await topology.ensure(broker.consuming)
        yield broker


async def send(broker: Broker, body: bytes) -> None:
    await broker.sender.send(QUEUE, AmqpMessage(body))


async def sent_again(broker: Broker, body: bytes) -> None:
    while True:
        try:
            return await send(broker, body)
        except TransportError:
            await asyncio.sleep(0.5)


async def received(receiver: Receiver) -> ReceivedMessage:
    async with asyncio.timeout(60):
        while True:
            for message in await receiver.fetch(1, SECOND):
                return message
