"""The way of a question as benchmarks go it: real `timokha generate` processes, and an edge that asks them."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from cli.demo.processes import CommandProcess, running
from events import subjects
from events.event import Event
from events.ids import RequestId
from events.jetstream.connection import JetStream
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import GenerationCompleted, GenerationRequested, Role, Sampling, Turn
from events.transport import MAX_FETCH_WAIT, Channel, Delivery
from observability.telemetry import Telemetry, noop_telemetry

Trip = Callable[[], Awaitable[object]]

ACCOUNT = "bench"
QUESTION = "Как дела? " * 10
DEADLINE = timedelta(minutes=10)
BATCH = 64


class NoAnswer(RuntimeError):
    """A question's outcome is another one."""


class Edge:
    """Publishes requests and takes their replies in, as the userbot does, but for Telegram and the chat records."""

    def __init__(self, log: JetStreamLog, replies: JetStreamSubscription, telemetry: Telemetry) -> None:
        self._log = log
        self._replies = replies
        self._telemetry = telemetry
        self._number = 0
        self._waiting: dict[str, asyncio.Future[GenerationCompleted]] = {}
        self._taking: set[asyncio.Task[None]] = set()

    async def ask(self, text: str = QUESTION, sampling: Sampling | None = None) -> GenerationCompleted:
        """The answer to `text`, once its event is acknowledged."""
        return await (await self.publish(text, sampling))

    async def publish(
        self, text: str = QUESTION, sampling: Sampling | None = None
    ) -> asyncio.Future[GenerationCompleted]:
        """Returns once the request is stored: the answer is still to come."""
        self._number += 1
        request_id = RequestId(ACCOUNT, "1", str(self._number))
        data = GenerationRequested(
            request_id=str(request_id),
            account_id=ACCOUNT,
            chat_id="1",
            message_id=request_id.message,
            turns=(Turn(role=Role.USER, text=text),),
            sampling=sampling or Sampling(),
            deadline=datetime.now(UTC) + DEADLINE,
        )
        return await self._send(data)

    async def request(self, data: GenerationRequested) -> GenerationCompleted:
        """The answer to a request of this account. Raises NoAnswer."""
        return await (await self._send(data))

    async def _send(self, data: GenerationRequested) -> asyncio.Future[GenerationCompleted]:
        reply = self._waiting[data.request_id] = asyncio.get_running_loop().create_future()
        with self._telemetry.spans.send(
            Channel.REQUESTS, Event.of(data, source="/bench", time=datetime.now(UTC))
        ) as event:
            await self._log.publish(Channel.REQUESTS, event)
        return reply

    async def listen(self) -> None:
        """For ever."""
        while True:
            for delivery in await self._replies.fetch(BATCH, MAX_FETCH_WAIT):
                task = asyncio.create_task(self._take(delivery))
                self._taking.add(task)
                task.add_done_callback(self._taking.discard)

    async def _take(self, delivery: Delivery) -> None:
        reply = self._waiting.pop(delivery.event.subject)
        try:
            with self._telemetry.spans.process(Channel.REPLIES, delivery, group=subjects.edge_consumer(ACCOUNT)):
                data = delivery.event.data()
                await delivery.ack()
                if not isinstance(data, GenerationCompleted):
                    raise NoAnswer(f"no answer, but {data!r}")
            reply.set_result(data)
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            reply.set_exception(error)


@asynccontextmanager
async def edge(js: JetStream, telemetry: Telemetry | None = None) -> AsyncIterator[Edge]:
    """An edge of an account of its own, listening; makes every stream and consumer that is missing."""
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    await Topology(js, retrying=retrying).ensure_all(accounts=[ACCOUNT])
    edge = subjects.edge_consumer(ACCOUNT)
    replies = await JetStreamSubscription.bind(js, Channel.REPLIES, edge, random=retrying.random)
    made = Edge(JetStreamLog(js), replies, telemetry or noop_telemetry())
    async with listening(made.listen()):
        yield made


@asynccontextmanager
async def listening(loop: Awaitable[None]) -> AsyncIterator[None]:
    """`loop` runs inside."""
    task = asyncio.ensure_future(loop)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def functions(
    directory: Path, nats_url: str, settings: Mapping[str, str], *, count: int = 1
) -> AsyncIterator[list[CommandProcess]]:
    """`count` processes of `timokha generate`, each with a directory of its own below `directory` for its log."""
    async with AsyncExitStack() as stack:
        started = []
        for number in range(count):
            own = directory / f"generate-{number}"
            await asyncio.to_thread(own.mkdir, parents=True)
            process = CommandProcess("generate", own, {"NATS_URL": nats_url, **settings})
            await stack.enter_async_context(running(process))
            started.append(process)
        yield started


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of trips took: each one's seconds, in the order of their ends, and when each ended."""

    trips: list[float]
    ends: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.trips) / self.seconds

    def steady_per_second(self, edge: int) -> float:
        """Without the first and last `edge` trips, when there may be more to do than hands, or less."""
        return (len(self.ends) - 2 * edge) / (self.ends[-edge - 1] - self.ends[edge - 1])

    @property
    def p50(self) -> float:
        return statistics.median(self.trips)


async def load(trip: Trip, *, in_flight: int, count: int) -> Load:
    """`count` trips, always `in_flight` at once: whoever is back sets out again."""
    left = iter(range(count))
    trips: list[float] = []
    ends: list[float] = []

    async def travel() -> None:
        for _ in left:
            began = time.perf_counter()
            await trip()
            ends.append(time.perf_counter())
            trips.append(ends[-1] - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(travel())
    return Load(trips, ends, time.perf_counter() - began)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
