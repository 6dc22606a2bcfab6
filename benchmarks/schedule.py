"""How near workers of unlike speed on RabbitMQ come to the ideal schedule when a load reaches them over the bridge."""

import asyncio
import heapq
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import SecretStr

from benchmarks.path import edge, functions, load
from cli.demo.processes import CommandProcess, running
from events.jetstream.connection import JetStream
from events.rabbitmq import topology
from events.rabbitmq.connection import connect
from events.runtime.clock import SystemClock

DELAYS = (0.02, 0.02, 0.1)
"""Seconds that each worker's answer takes: two alike, and one five times slower."""

REQUESTS, RUNS, WARM_UP = 300, 5, 30

START_TIMEOUT = 60


def ideal(requests: int, delays: Sequence[float]) -> float:
    """Seconds of the schedule that gives each request to the worker that will be free first."""
    free = [(0.0, delay) for delay in delays]
    end = 0.0
    for _ in range(requests):
        at, delay = heapq.heappop(free)
        end = max(end, at + delay)
        heapq.heappush(free, (at + delay, delay))
    return end


async def ratios(js: JetStream, nats_url: str, rabbitmq_url: str, directory: Path) -> list[float]:
    """Of each run: how many times the ideal schedule's its time was, from the first request to the last reply."""
    async with AsyncExitStack() as stack:
        asking = await stack.enter_async_context(edge(js))
        for number, delay in enumerate(DELAYS):
            settings = {
                "GENERATE_ENGINE": "echo",
                "GENERATE_ECHO_DELAY": str(delay),
                "GENERATE_TRIGGER": "rabbitmq",
                "RABBITMQ_URL": rabbitmq_url,
            }
            await stack.enter_async_context(functions(directory / f"worker-{number}", nats_url, settings))
        await asyncio.to_thread((directory / "bridge").mkdir)
        urls = {"NATS_URL": nats_url, "RABBITMQ_URL": rabbitmq_url}
        await stack.enter_async_context(running(CommandProcess("bridge", directory / "bridge", urls)))
        await _all_take(rabbitmq_url)
        await load(asking.ask, in_flight=WARM_UP, count=WARM_UP)
        took = [(await load(asking.ask, in_flight=REQUESTS, count=REQUESTS)).seconds for _ in range(RUNS)]
    return [seconds / ideal(REQUESTS, DELAYS) for seconds in took]


def figures(measured: Sequence[float]) -> dict[str, float]:
    """The median, and the best: noise of the machine only ever adds."""
    return {
        "schedule_ratio": round(statistics.median(measured), 2),
        "schedule_ratio_best": round(min(measured), 2),
    }


async def _all_take(rabbitmq_url: str) -> None:
    """Until the workers consume, and the bridge their replies."""
    async with (
        connect(SecretStr(rabbitmq_url), name="bench", clock=SystemClock()) as broker,
        asyncio.timeout(START_TIMEOUT),
    ):
        await topology.ensure(broker.consuming)
        while True:
            workers, bridges = await topology.consumer_counts(broker.consuming, topology.REQUESTS, topology.REPLIES)
            if workers >= len(DELAYS) and bridges:
                return
            await asyncio.sleep(0.1)
