"""What tracing costs: requests a second through a generate function, with spans exported and with none.

`python -m benchmarks.tracing [SAMPLER]`, the product's own sampler by default, or one of OTEL_TRACES_SAMPLER's.
A worker and a NATS server for each side, in short turns, so that noise hits both. The spans go over OTLP to a collector
that throws them away, in a process of its own on the same machine.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from unittest.mock import patch

import click

from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess, running
from events import subjects
from events.event import Event
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import GenerationRequested, Role, Turn
from events.transport import MAX_FETCH_WAIT, Channel
from observability import setup
from observability.telemetry import Telemetry

IN_FLIGHT = 64
BURST, ROUNDS, WARM_UP = 100, 300, 20
"""Requests a burst, and how many bursts of each in turn; the first ones do not count."""
ACCOUNT = "bench"


class Side:
    """One worker, its server, and an edge that asks."""

    def __init__(self, log: JetStreamLog, replies: JetStreamSubscription, telemetry: Telemetry) -> None:
        self._log = log
        self._replies = replies
        self._telemetry = telemetry
        self._number = 0

    async def burst(self) -> float:
        """Requests a second."""
        slots = asyncio.Semaphore(IN_FLIGHT)
        began = time.perf_counter()
        asking = asyncio.create_task(self._ask(slots))
        received = 0
        while received < BURST:
            for delivery in await self._replies.fetch(IN_FLIGHT, MAX_FETCH_WAIT):
                with self._telemetry.spans.process(Channel.REPLIES, delivery, group=ACCOUNT):
                    await delivery.ack()
                received += 1
                slots.release()
        await asking
        return BURST / (time.perf_counter() - began)

    async def _ask(self, slots: asyncio.Semaphore) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(BURST):
                await slots.acquire()
                self._number += 1
                tasks.create_task(self._publish(str(self._number)))

    async def _publish(self, message: str) -> None:
        data = GenerationRequested(
            request_id=f"{ACCOUNT}.1.{message}.0",
            account_id=ACCOUNT,
            chat_id="1",
            message_id=message,
            turns=(Turn(role=Role.USER, text="x" * 100),),
            deadline=datetime.now(UTC) + timedelta(minutes=2),
        )
        with self._telemetry.spans.send(
            Channel.REQUESTS, Event.of(data, source="/bench", time=datetime.now(UTC))
        ) as traced:
            await self._log.publish(Channel.REQUESTS, traced)


async def measure(sampler: str = "", *, rounds: int = ROUNDS) -> dict[str, float]:
    """Requests a second, as medians, and the part of them that tracing takes: median and quartiles of all rounds."""
    rates: dict[str, list[float]] = {"off": [], "on": []}
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="timokha-bench-")))
        tracing = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": await stack.enter_async_context(_collector()),
            "OTEL_TRACES_SAMPLER": sampler,
            "OTEL_METRICS_EXPORTER": "none",
        }
        sides = {
            "off": await stack.enter_async_context(_side(directory / "off", {"OTEL_SDK_DISABLED": "true"})),
            "on": await stack.enter_async_context(_side(directory / "on", tracing)),
        }
        for round_ in range(WARM_UP + rounds):
            tell(f"tracing off and on, round {round_} of {WARM_UP + rounds}")
            # Who comes first in a round changes, too.
            for name in sorted(sides, reverse=bool(round_ % 2)):
                rate = await sides[name].burst()
                if round_ >= WARM_UP:
                    rates[name].append(rate)
    costs = [1 - on / off for on, off in zip(rates["on"], rates["off"], strict=True)]
    low, cost, high = statistics.quantiles(costs, n=4)
    medians = {f"{name}_per_s": round(statistics.median(measured)) for name, measured in rates.items()}
    return {**medians, "cost": round(cost, 3), "cost_low": round(low, 3), "cost_high": round(high, 3)}


@asynccontextmanager
async def _side(directory: Path, environment: Mapping[str, str]) -> AsyncIterator[Side]:
    with patch.dict(os.environ, environment):
        telemetry = setup.start("bench")
    await asyncio.to_thread(directory.mkdir)
    async with EmbeddedServer(directory / "nats") as nats, connect(nats.url, name="bench") as js:
        retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
        await Topology(js, retrying=retrying).ensure_all(accounts=[ACCOUNT])
        settings = {
            "GENERATE_ENGINE": "echo",
            "GENERATE_SLOTS": str(IN_FLIGHT),
            "NATS_URL": nats.url,
            "LOG_LEVEL": "warning",
            **environment,
        }
        async with running(CommandProcess("generate", directory, settings)):
            replies = await JetStreamSubscription.bind(
                js, Channel.REPLIES, subjects.edge_consumer(ACCOUNT), random=retrying.random
            )
            yield Side(JetStreamLog(js), replies, telemetry)
    telemetry.shutdown()


@asynccontextmanager
async def _collector() -> AsyncIterator[str]:
    """Its URL."""
    context = get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_collect, args=(its,), daemon=True)
    process.start()
    # Or a collector that failed would be waited for.
    its.close()
    try:
        yield await asyncio.to_thread(mine.recv)
    finally:
        process.terminate()
        process.join()


class _Discard(BaseHTTPRequestHandler):
    # With the default every batch would open a connection.
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def _collect(parent: Connection) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Discard) as server:
        parent.send(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()


if __name__ == "__main__":
    click.echo(asyncio.run(measure(*sys.argv[1:2])))
