"""A burst of questions while KEDA's and the HPA's rules decide how many real `timokha generate` run: 0, many, 0.

Their times are SPEED times shorter than the defaults, so that a run takes a minute and not a quarter of an hour.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.autoscaler import Autoscaler, ScaledObject
from benchmarks.path import edge, listening
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer, embedded, free_ports
from cli.demo.processes import CommandProcess
from events import subjects
from events.jetstream.connection import connect
from events.schema import GenerationCompleted
from events.transport import Channel
from tests.deploy.keda import Scaler

QUESTIONS = 500
SPEED = 15
SLOTS = 4
DELAY = 1.0
"""Seconds that an answer takes."""
GIVEN = ScaledObject(
    max_replicas=6,
    lag_threshold=10 * SLOTS,
    polling_interval=30 / SPEED,
    cooldown_period=300 / SPEED,
    sync_period=15 / SPEED,
    stabilization_window=300 / SPEED,
)
LOOK = 0.25
"""Seconds between two points of the plot."""
AT_MOST = 180.0
"""Seconds until all is answered and nothing runs any more."""


@dataclass
class Fleet:
    """The functions that run; what is told to end ends by itself, as a pod does."""

    directory: Path
    settings: dict[str, str]
    running: list[CommandProcess] = field(default_factory=list)
    _made: int = 0
    _ending: set[asyncio.Task[bool]] = field(default_factory=set)

    @property
    def count(self) -> int:
        """Those that end are among them."""
        return len(self.running) + len(self._ending)

    async def scale(self, wanted: int) -> None:
        while len(self.running) < wanted:
            self._made += 1
            own = self.directory / f"generate-{self._made}"
            await asyncio.to_thread(own.mkdir, parents=True)
            self.running.append(CommandProcess("generate", own, self.settings))
            await self.running[-1].start()
        while len(self.running) > wanted:
            ending = asyncio.create_task(self.running.pop().stop())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def end(self) -> None:
        await self.scale(0)
        await asyncio.gather(*self._ending)


@dataclass
class Run:
    """`points`: seconds, lag, functions that run, and answers so far."""

    answered: int = 0
    most: int = 0
    first_answer: float | None = None
    last_answer: float | None = None
    at_zero: float | None = None
    points: list[tuple[float, int, int, int]] = field(default_factory=list)

    def take(self, seconds: float) -> None:
        self.answered += 1
        self.first_answer = self.first_answer or seconds
        self.last_answer = seconds


async def measure() -> dict[str, object]:
    """Return what became of the questions, how many functions ran, and the points of the plot."""
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        run = await scaled(Path(directory), QUESTIONS)
    return {
        "questions": QUESTIONS,
        "lost": QUESTIONS - run.answered,
        "most_functions": run.most,
        "first_answer_seconds": round(run.first_answer or 0, 2),
        "last_answer_seconds": round(run.last_answer or 0, 2),
        "zero_functions_seconds": round(run.at_zero or 0, 2),
        "points": run.points,
    }


async def scaled(directory: Path, questions: int) -> Run:
    """Ask all at once, and run as many functions as the autoscaler wants until all is answered and none is left."""
    monitor = free_ports(1)[0]
    async with (
        EmbeddedServer(directory / "nats", configured=partial(_monitored, monitor)) as nats,
        connect(nats.url, name="bench") as js,
        edge(js) as asking,
        AsyncExitStack() as stack,
    ):
        settings = {"GENERATE_ENGINE": "echo", "GENERATE_ECHO_DELAY": str(DELAY), "GENERATE_SLOTS": str(SLOTS)}
        scaler = _scaler(monitor)
        fleet, run, began = Fleet(directory, {"NATS_URL": nats.url, **settings}), Run(), time.monotonic()
        stack.push_async_callback(fleet.end)
        run.points.append((0.0, await asyncio.to_thread(scaler.lag), fleet.count, 0))
        await stack.enter_async_context(listening(_autoscale(fleet, scaler)))
        replies = [await asking.publish() for _ in range(questions)]
        for reply in replies:
            reply.add_done_callback(lambda reply: run.take(time.monotonic() - began) if _is_answer(reply) else None)
        async with asyncio.timeout(AT_MOST):
            while run.answered < questions or fleet.count:
                run.most = max(run.most, fleet.count)
                seconds = round(time.monotonic() - began, 2)
                run.points.append((seconds, await asyncio.to_thread(scaler.lag), fleet.count, run.answered))
                tell(f"{run.answered} of {questions} answered by {fleet.count} functions")
                await asyncio.sleep(LOOK)
        run.at_zero = time.monotonic() - began
        return run


async def _autoscale(fleet: Fleet, scaler: Scaler) -> None:
    """For ever."""
    autoscaler = Autoscaler(GIVEN)

    async def every(seconds: float, decide: Callable[[float, int], int]) -> None:
        while True:
            await fleet.scale(decide(time.monotonic(), await asyncio.to_thread(scaler.lag)))
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(every(GIVEN.polling_interval, autoscaler.poll))
        tasks.create_task(every(GIVEN.sync_period, autoscaler.sync))


def _scaler(monitor: int) -> Scaler:
    trigger = {
        "natsServerMonitoringEndpoint": f"127.0.0.1:{monitor}",
        "account": "$G",  # that of clients without an account
        "stream": subjects.stream(Channel.REQUESTS),
        "consumer": subjects.GENERATE_CONSUMER,
    }
    return Scaler(trigger, _get)


def _get(url: str) -> dict[str, Any]:
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - a server of our own
        found: dict[str, Any] = json.load(answer)
        return found


def _monitored(monitor: int, port: int, store: Path) -> str:
    return f'http: "127.0.0.1:{monitor}"\n{embedded(port, store)}'


def _is_answer(reply: "asyncio.Future[GenerationCompleted]") -> bool:
    return not reply.cancelled() and reply.exception() is None
