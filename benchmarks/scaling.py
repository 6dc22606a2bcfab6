"""Throughput against the number of functions: echo engines that wait 200 ms, one request each at a time."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.path import Trip, edge, functions, load
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from events import subjects
from events.jetstream.connection import JetStream, connect
from events.transport import Channel

COUNTS = (1, 2, 4, 8, 16)
DELAY = 0.2
"""Seconds that an answer takes."""

ANSWERS = 60
"""Counted for each function: twelve seconds."""

AHEAD = 2
"""Requests in flight for each function, so that none ever waits for one."""

START_TIMEOUT = 120


async def measure() -> dict[str, object]:
    """Answers a second by the number of functions, and each as a part of so many times one function's."""
    rates: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            EmbeddedServer(Path(directory, "nats")) as nats,
            connect(nats.url, name="bench") as js,
            edge(js) as asking,
            AsyncExitStack() as started,
        ):
            settings = {"GENERATE_ENGINE": "echo", "GENERATE_ECHO_DELAY": str(DELAY), "GENERATE_SLOTS": "1"}
            for count in COUNTS:
                tell(f"{count} functions")
                more = functions(
                    Path(directory, f"up-to-{count}"), nats.url, settings, count=count - max(rates, default=0)
                )
                await started.enter_async_context(more)
                await _all_wait(js, count)
                rates[count] = await _rate(asking.ask, count)
    return {
        **{f"per_second_{count}": round(rate, 2) for count, rate in rates.items()},
        **{f"efficiency_{count}": round(rate / (count * rates[1]), 3) for count, rate in rates.items() if count > 1},
    }


async def _rate(ask: Trip, count: int) -> float:
    """Between the first answers and the last ones, when not all functions work."""
    measured = await load(ask, in_flight=AHEAD * count, count=(ANSWERS + 2 * AHEAD) * count)
    return measured.steady_per_second(edge=AHEAD * count)


async def _all_wait(js: JetStream, count: int) -> None:
    """Until as many functions have asked for work."""
    stream = subjects.stream(Channel.REQUESTS)
    async with asyncio.timeout(START_TIMEOUT):
        while (await js.consumer_info(stream, subjects.GENERATE_CONSUMER)).num_waiting != count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
