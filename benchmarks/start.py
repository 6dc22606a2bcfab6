"""From the start of `timokha generate` with its default engine and model, prepared before, to its first answer."""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.path import Edge, edge, functions
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import run_once
from events.jetstream.connection import connect

STARTS = 7
QUESTION = "Привет! Как дела?"


async def measure() -> dict[str, object]:
    """Seconds: the median of some starts, and the slowest."""
    tell("preparing the default model, once")
    await run_once("model")
    seconds = []
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            EmbeddedServer(Path(directory, "nats")) as nats,
            connect(nats.url, name="bench") as js,
            edge(js) as asking,
        ):
            for number in range(1, STARTS + 1):
                tell(f"start {number} of {STARTS}")
                seconds.append(await _first_answer(asking, Path(directory, str(number)), nats.url))
    return {
        "first_answer_seconds": round(statistics.median(seconds), 2),
        "slowest_seconds": round(max(seconds), 2),
        "starts": STARTS,
    }


async def _first_answer(asking: Edge, directory: Path, nats_url: str) -> float:
    """The question waits already."""
    answer = await asking.publish(QUESTION)
    began = time.perf_counter()
    async with functions(directory, nats_url, {}):
        await answer
        return time.perf_counter() - began
