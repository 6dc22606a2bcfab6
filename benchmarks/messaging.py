"""What the product's messaging costs: request event → `timokha generate` (echo) → reply event, beside bare nats-py.

Both on one server that syncs every write, with the same confirmations: a publish waits until it is stored, an
acknowledgement until it is taken. In turns, so that noise hits both; a ratio is the median of the rounds' ratios.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from benchmarks import telegram, tracing
from benchmarks.path import BATCH, Load, Trip, edge, functions, listening, load, percentile
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from events.jetstream.connection import connect

ROUNDS = 20
TRIPS = {1: 100, 16: 400, 64: 800}
"""In flight → trips a round and side."""

TRACING_ROUNDS = 100
"""Fewer than `python -m benchmarks.tracing` has: here its quartiles need only tell much from little."""

REQUEST, REPLY = "x" * 450, "x" * 350
"""Bytes about as many as the product's events have."""


async def measure() -> dict[str, object]:
    """The keys of `messaging` in build/bench.json: milliseconds, answers a second, and ours over the bare one's."""
    found = await _beside_the_bare_one()
    traced = await tracing.measure(rounds=TRACING_ROUNDS)
    costs = {f"tracing_{name}": figure for name, figure in traced.items() if name.startswith("cost")}
    return {**found, "overhead_p50_ratio": found["p50_ratio_1"], **costs, **await telegram.measure()}


async def _beside_the_bare_one() -> dict[str, object]:
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            EmbeddedServer(Path(directory, "nats")) as nats,
            connect(nats.url, name="bench") as js,
            connect(nats.url, name="bare") as bare_js,
            edge(js) as ours,
            functions(Path(directory), nats.url, {"GENERATE_ENGINE": "echo", "GENERATE_SLOTS": str(BATCH)}),
            _bare(bare_js, nats.url) as bare,
        ):
            for in_flight, count in TRIPS.items():
                loads = await _in_turns({"ours": ours.ask, "bare": bare}, in_flight=in_flight, count=count)
                found |= _figures(in_flight, loads)
    return found


async def _in_turns(trips: dict[str, Trip], *, in_flight: int, count: int) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {name: [] for name in trips}
    for round_ in range(ROUNDS + 1):
        tell(f"{in_flight} in flight, round {round_} of {ROUNDS}")
        # Who comes first in a round changes, too.
        for name in sorted(trips, reverse=bool(round_ % 2)):
            measured = await load(trips[name], in_flight=in_flight, count=count)
            if round_:
                loads[name].append(measured)
    return loads


def _figures(in_flight: int, loads: dict[str, list[Load]]) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, prefix in (("ours", ""), ("bare", "bare_")):
        trips = [seconds for measured in loads[name] for seconds in measured.trips]
        figures |= {
            f"{prefix}p50_ms_{in_flight}": round(statistics.median(trips) * 1000, 2),
            f"{prefix}p99_ms_{in_flight}": round(percentile(trips, 99) * 1000, 2),
            f"{prefix}per_second_{in_flight}": round(statistics.median(one.per_second for one in loads[name])),
        }
    pairs = list(zip(loads["ours"], loads["bare"], strict=True))
    return figures | {
        f"p50_ratio_{in_flight}": round(statistics.median(ours.p50 / bare.p50 for ours, bare in pairs), 2),
        f"rate_ratio_{in_flight}": round(
            statistics.median(ours.per_second / bare.per_second for ours, bare in pairs), 2
        ),
    }


@asynccontextmanager
async def _bare(js: JetStreamContext, nats_url: str) -> AsyncIterator[Trip]:
    for channel, durable in (("requests", "function"), ("replies", "edge")):
        await js.add_stream(StreamConfig(name=f"BARE_{channel}", subjects=[f"bare.{channel}.*"]))
        await js.pull_subscribe(f"bare.{channel}.*", durable=durable)
    edge_ = _BareEdge(js, await js.pull_subscribe_bind(durable="edge", stream="BARE_replies"))
    script = Path(__file__).parent / "bare_function.py"
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), nats_url, REPLY)
    try:
        async with listening(edge_.listen()):
            yield edge_.ask
    finally:
        process.kill()
        await process.wait()


class _BareEdge:
    """The least that asks and hears, shaped like benchmarks.path.Edge."""

    def __init__(self, js: JetStreamContext, pull: JetStreamContext.PullSubscription) -> None:
        self._js = js
        self._pull = pull
        self._number = 0
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._taking: set[asyncio.Task[None]] = set()

    async def ask(self) -> None:
        self._number += 1
        number = str(self._number)
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._js.publish(f"bare.requests.{number}", REQUEST.encode())
        await reply

    async def listen(self) -> None:
        while True:
            try:
                fetched = await self._pull.fetch(BATCH, timeout=1)
            except TimeoutError:
                continue
            for message in fetched:
                task = asyncio.create_task(self._take(message))
                self._taking.add(task)
                task.add_done_callback(self._taking.discard)

    async def _take(self, message: Msg) -> None:
        await message.ack_sync()
        self._waiting.pop(message.subject.rsplit(".", 1)[1]).set_result(None)
