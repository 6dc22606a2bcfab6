"""What `timokha bridge` costs: a round trip JetStream → RabbitMQ → JetStream through it and through a bare one.

`python -m benchmarks.bridge`. Both on the same brokers in turns, with the same worker, so that noise hits both.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import click
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from benchmarks import schedule
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from events.event import NATS_PREFIX, Event, to_headers
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import GenerationRequested, Role, Turn
from tests.rabbitmq_node import RabbitMQNode

ROUNDS, A_ROUND, WARM_UP = 60, 5, 30
"""Round trips: rounds of each in turn, and how many in one."""

PAUSE = 0.01
"""Seconds between two trips: what either side does after a reply is no part of the next one."""

Trip = Callable[[int], Awaitable[None]]


async def measure() -> dict[str, float]:
    """The keys of `bridge` in build/bench.json: medians in milliseconds, how many times the bare one's ours is, and how
    many times the ideal schedule's (benchmarks/schedule.py) a load's time is.
    """
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            EmbeddedServer(Path(directory, "nats")) as nats,
            RabbitMQNode(Path(directory, "rabbitmq"), clock=SystemClock()) as rabbitmq,
            connect(nats.url, name="bench") as js,
        ):
            async with AsyncExitStack() as stack:
                ours = await stack.enter_async_context(_ours(js, nats.url, rabbitmq.url))
                bare = await stack.enter_async_context(_bare(js, nats.url, rabbitmq.url))
                times = await _compare({"ours": ours, "bare": bare})
            ratios = await schedule.ratios(js, nats.url, rabbitmq.url, Path(directory))
    medians = {name: statistics.median(measured) * 1000 for name, measured in times.items()}
    return {
        "p50_ms": round(medians["ours"], 2),
        "bare_p50_ms": round(medians["bare"], 2),
        "overhead_p50_ratio": round(medians["ours"] / medians["bare"], 2),
        **schedule.figures(ratios),
    }


async def _compare(trips: dict[str, Trip]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in trips}
    number = 0
    for round_ in range(ROUNDS + 1):
        tell(f"round {round_} of {ROUNDS}")
        for name, trip in trips.items():
            for _ in range(A_ROUND if round_ else WARM_UP):
                number += 1
                await asyncio.sleep(PAUSE)
                began = time.perf_counter()
                async with asyncio.timeout(60):
                    await trip(number)
                if round_:
                    times[name].append(time.perf_counter() - began)
    return times


@asynccontextmanager
async def _ours(js: JetStreamContext, nats_url: str, rabbitmq_url: str) -> AsyncIterator[Trip]:
    await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all(accounts=["1"])  # noqa: S311 - jitter, not a secret
    replies = await js.pull_subscribe_bind(durable="edge-1", stream="REPLIES")

    async def trip(number: int) -> None:
        event = _request(number)
        waiting = asyncio.create_task(replies.fetch(1, timeout=60))
        await js.publish(f"timokha.requests.{event.subject}", event.body, headers=to_headers(event, NATS_PREFIX))
        await (await waiting)[0].ack()

    settings = {"NATS_URL": nats_url, "RABBITMQ_URL": rabbitmq_url, "LOG_LEVEL": "warning"}
    async with _running("-m", "cli", "bridge", settings=settings), _worker(rabbitmq_url, "timokha.requests"):
        yield trip


@asynccontextmanager
async def _bare(js: JetStreamContext, nats_url: str, rabbitmq_url: str) -> AsyncIterator[Trip]:
    for channel in ("requests", "replies"):
        await js.add_stream(StreamConfig(name=f"BARE_{channel}", subjects=[f"bare.{channel}.*"]))
    replies = await js.pull_subscribe("bare.replies.*", durable="edge")

    async def trip(number: int) -> None:
        waiting = asyncio.create_task(replies.fetch(1, timeout=60))
        await js.publish(f"bare.requests.{number}", _request(number).body)
        await (await waiting)[0].ack()

    async with (
        _running(str(Path(__file__).parent / "bare_bridge.py"), nats_url, rabbitmq_url),
        _worker(rabbitmq_url, "bare.requests"),
    ):
        yield trip


def _request(number: int) -> Event:
    data = GenerationRequested(
        request_id=f"1.2.{number}.0",
        account_id="1",
        chat_id="2",
        message_id=str(number),
        turns=(Turn(role=Role.USER, text="Как дела?"),),
        deadline=datetime.now(UTC) + timedelta(seconds=120),
    )
    return Event.of(data, source="/bench", time=datetime.now(UTC))


@asynccontextmanager
async def _worker(rabbitmq_url: str, queue: str) -> AsyncIterator[None]:
    """Started again until the bridge has made its queue."""
    async with _running(str(Path(__file__).parent / "bare_worker.py"), rabbitmq_url, queue, again=True):
        yield


@asynccontextmanager
async def _running(
    *arguments: str, again: bool = False, settings: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    processes: list[asyncio.subprocess.Process] = []

    async def keep() -> None:
        while True:
            processes.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    *arguments,
                    env={**os.environ, **(settings or {})},
                    stderr=asyncio.subprocess.DEVNULL if again else None,
                )
            )
            code = await processes[-1].wait()
            if not again:
                raise RuntimeError(f"{arguments} ended with exit code {code}")

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


def main() -> None:
    result = asyncio.run(measure())
    click.echo(
        f"bridge round trip: {result['p50_ms']} ms, a bare one {result['bare_p50_ms']} ms, "
        f"{result['overhead_p50_ratio']} times (at most 1.15); workers of unlike speed take "
        f"{result['schedule_ratio']} times the ideal schedule's time, at best {result['schedule_ratio_best']}"
    )


if __name__ == "__main__":
    main()
