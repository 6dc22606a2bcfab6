"""Tell a story of the simulated NATS server and one client of it, our adapters, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from nats.js import JetStreamContext

from events import subjects
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.subscription import JetStreamDelivery, JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.retrying import RETRYING
from tests.simulation.determinism import determined
from tests.simulation.loop import SimulationLoop
from tests.simulation.nats.server import NatsServer
from tests.simulation.nats.store import Store

SECOND = timedelta(seconds=1)
MAX_AGE = timedelta(hours=1)


@dataclass
class Place:
    """A server that was set up, and one client of it, `test`."""

    server: NatsServer
    js: JetStreamContext
    random: Random

    @property
    def log(self) -> JetStreamLog:
        return JetStreamLog(self.js)

    @property
    def topology(self) -> Topology:
        return Topology(self.js, Retention(max_age=MAX_AGE), retrying=Retrying(SystemClock(), self.random))

    async def records(self) -> JetStreamRecords:
        return await JetStreamRecords.open(self.js, subjects.CHATS_BUCKET, retrying=RETRYING)

    async def subscribe(self) -> JetStreamSubscription:
        return await JetStreamSubscription.bind(
            self.js, Channel.REQUESTS, subjects.GENERATE_CONSUMER, random=self.random
        )

    async def fetch(self, subscription: JetStreamSubscription) -> JetStreamDelivery:
        async with asyncio.timeout(60):
            while not (found := await subscription.fetch(1, SECOND)):
                pass
        return found[0]


@asynccontextmanager
async def a_place(loop: SimulationLoop, random: Random) -> AsyncIterator[Place]:
    async with (
        NatsServer(Store(loop.wall_clock), "nats", 4222, random=random) as server,
        connect(server.url, name="test") as js,
    ):
        place = Place(server, js, random)
        await place.topology.ensure_all(accounts=["1"])
        yield place


Story = Callable[[Place], Awaitable[None]]


def told(story: Story, seed: int = 1) -> tuple[float, int]:
    """Return the virtual time that the story took and how many steps."""
    random = Random(seed)

    async def tell() -> None:
        async with a_place(loop, random) as place:
            await story(place)

    loop = SimulationLoop(random)
    with determined(loop, random), asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(tell())
        return loop.time(), loop.steps
