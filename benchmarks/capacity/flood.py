"""Questions through one nats-server or three, as fast as they go: the record, the request, its reply, the record again.

Requests, replies and records are the product's own, and so is the worker (`timokha generate`, engine echo). Only
Telegram and the userbot's process are left out, so that the servers get more to do than a userbot could give them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.capacity import servers, usage
from benchmarks.path import ACCOUNT, DEADLINE, QUESTION, Edge, Load, edge, functions, load
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess
from edge.userbot.chat import question_progress as progress
from edge.userbot.chat import record as records
from edge.userbot.chat.record import Question
from edge.userbot.chat.request_builder import build_request
from edge.userbot.storage.chats import Chats, open_chats
from events.ids import RequestId
from events.jetstream.connection import JetStream, connect
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.schema import Sampling

IN_FLIGHT = 64
WARM_UP, QUESTIONS = 256, 4_000
AT_MOST = 30.0
"""Seconds of questions: a slow disk answers fewer."""

Figures = dict[str, object]


@dataclass(slots=True)
class Asker:
    """Writes to a chat's record as often as the userbot does for a question, each time in a chat that is idle."""

    chats: Chats
    edge: Edge
    idle: deque[int]
    until: float = float("inf")
    answered: int = 0

    async def ask(self) -> None:
        if asyncio.get_running_loop().time() > self.until:
            return
        chat = self.idle.popleft()
        self.answered += 1
        await self._answered(RequestId(ACCOUNT, str(chat), str(self.answered)))
        self.idle.append(chat)

    async def _answered(self, asked: RequestId) -> None:
        change, request = partial(self.chats.change, asked.chat), str(asked)
        now = datetime.now(UTC)
        question = Question(message_id=int(asked.message), text=QUESTION, locale="ru", asked_at=now)
        current = records.ask(question, asked, now + DEADLINE)
        stored = await change(lambda record: record.having(current=current))
        data = build_request(stored, current, ACCOUNT, asked.chat, Sampling())
        reply = asyncio.ensure_future(self.edge.request(data))
        await change(lambda record: progress.record_thinking_line(record, request, 1))
        text = (await reply).text
        await change(lambda record: progress.record_answer(record, request, text, datetime.now(UTC)))
        await change(lambda record: progress.finish_question(record, request, datetime.now(UTC), timedelta(minutes=2)))


async def measure(directory: Path, nodes: int) -> Figures:
    """Questions a second, what the servers used for one, and who kept the cores busy."""
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    async with servers.servers(directory, nodes) as started:
        await servers.make_topology(started, retrying, [ACCOUNT])
        async with _asking(directory, started, retrying) as (asker, worker):
            tell(f"{nodes} nodes, warming up")
            await load(asker.ask, in_flight=IN_FLIGHT, count=WARM_UP)
            tell(f"{nodes} nodes, {IN_FLIGHT} questions in flight")
            return await _measured(asker, started, worker)


async def _measured(asker: Asker, started: list[EmbeddedServer], worker: CommandProcess) -> Figures:
    pids = {**{f"node-{number}": server.pid for number, server in enumerate(started)}, "worker": worker.pid}
    pids |= {"asker": None}
    before, synced, asked = usage.of_all(pids), usage.flushes(), asker.answered
    asker.until = asyncio.get_running_loop().time() + AT_MOST
    measured = await load(asker.ask, in_flight=IN_FLIGHT, count=QUESTIONS)
    used, synced = usage.since(before, pids), usage.flushes() - synced
    # The worker and the servers are children of this process.
    ours = used.pop("asker").cpu - sum(one.cpu for one in used.values())
    return figures(measured, asker.answered - asked, used, ours) | {
        "disk_flushes_a_question": round(synced / (asker.answered - asked), 1),
        "server_memory_mib": round(max(usage.resident_mib(server.pid) for server in started)),
    }


def figures(measured: Load, answered: int, used: dict[str, usage.Usage], asker: float) -> Figures:
    """Milliseconds are of processor time. `busiest`: of the node that had most to do, which the rate ends with."""
    worker = used.pop("worker").cpu
    nodes = [one.cpu for one in used.values()]
    return {
        "per_second": round(answered / measured.seconds),
        "servers_cpu_ms": round(1000 * sum(nodes) / answered, 3),
        "busiest_cpu_ms": round(1000 * max(nodes) / answered, 3),
        "per_core_second": round(answered / max(nodes)),
        "worker_cpu_ms": round(1000 * worker / answered, 3),
        "asker_cpu_ms": round(1000 * asker / answered, 3),
        "cores_busy_servers": round(sum(nodes) / measured.seconds, 2),
        "cores_busy_clients": round((worker + asker) / measured.seconds, 2),
        "written_kib_a_node": round(max(one.written for one in used.values()) / answered / 1024, 1),
    }


@asynccontextmanager
async def _asking(
    directory: Path, started: list[EmbeddedServer], retrying: Retrying
) -> AsyncIterator[tuple[Asker, CommandProcess]]:
    address = servers.url(started)
    settings = {"GENERATE_ENGINE": "echo", "GENERATE_SLOTS": str(IN_FLIGHT)}
    async with (
        connect(address, name="bench") as js,
        edge(js) as asking,
        functions(directory, address, settings) as [worker],
    ):
        chats = await _chats(js, retrying)
        yield Asker(chats, asking, deque(range(1, 2 * IN_FLIGHT + 1))), worker


async def _chats(js: JetStream, retrying: Retrying) -> Chats:
    chats = await open_chats(js, ACCOUNT, retrying=retrying)
    await chats.index.mark_complete(await chats.index.created_at())
    return chats
