"""The whole product, from the sandbox Telegram and back: what one question and one more chat cost each process.

Each person asks once, then all ask again. The sandbox is no part of what is counted.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.capacity import usage
from benchmarks.path import load
from benchmarks.progress import tell
from benchmarks.telegram import Chats, product
from events import subjects
from events.jetstream.connection import JetStream, connect
from events.transport import Channel

FIRST, PEOPLE = 200, 1_200
"""The memory of a chat is that of those after the `FIRST`: caches fill at the beginning."""
IN_FLIGHT = 16
SETTINGS = {"GENERATE_ENGINE": "echo", "USERBOT_SENDS_PER_SECOND": "1000"}
"""The sandbox takes more messages a second than Telegram: with the default the edge would wait most of the time."""
STREAMS = (
    *(subjects.stream(channel) for channel in (Channel.REQUESTS, Channel.REPLIES)),
    *(f"KV_{bucket}" for bucket in (subjects.CHATS_BUCKET, subjects.TELEGRAM_BUCKET)),
)
MARKS = f"KV_{subjects.MARKS_BUCKET}"
"""Its numbers count marks that are added; those are dropped too, which writes once more."""

Figures = dict[str, object]


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that is counted, at one moment."""

    at: float
    used: Mapping[str, usage.Usage]
    memory: Mapping[str, float]
    numbers: Mapping[str, int]
    sizes: Mapping[str, int]
    """Bytes of what each stream holds."""


async def measure(directory: Path) -> Figures:
    """Milliseconds are of processor time; `writes`: messages stored by a question, by stream."""
    await asyncio.to_thread(directory.mkdir)
    async with (
        product(directory, SETTINGS, people=PEOPLE) as chats,
        connect(chats.nats_url, name="bench") as js,
    ):
        await _ask(chats, range(FIRST))
        first = await _look(chats, js)
        await _ask(chats, range(FIRST, PEOPLE))
        second = await _look(chats, js)
        await _ask(chats, range(PEOPLE))
        return figures(first, second, await _look(chats, js))


def figures(first: Look, second: Look, third: Look) -> Figures:
    """Between the first two looks new chats have asked, between the others all of them again."""
    chats, again = PEOPLE - FIRST, PEOPLE
    written = {name: (third.numbers[name] - second.numbers[name]) / again for name in (*STREAMS, MARKS)}
    grown = {name: round((third.sizes[name] - second.sizes[name]) / again) for name in ("REQUESTS", "REPLIES")}
    cpu = {name: third.used[name].since(second.used[name]).cpu for name in third.used}
    return {
        "per_second": round(again / (third.at - second.at), 1),
        "edge_cpu_ms": round(1000 * cpu["userbot"] / again, 2),
        "worker_cpu_ms": round(1000 * cpu["generate"] / again, 2),
        "nats_cpu_ms": round(1000 * cpu["nats"] / again, 2),
        "edge_memory_mib": round(first.memory["userbot"], 1),
        "edge_kib_a_chat": round(1024 * (second.memory["userbot"] - first.memory["userbot"]) / chats, 2),
        "writes": {name: round(count, 2) for name, count in written.items()},
        "request_bytes": grown["REQUESTS"],
        "reply_bytes": grown["REPLIES"],
        "record_bytes_a_chat": round(third.sizes["KV_chats"] / PEOPLE),
    }


async def _ask(chats: Chats, people: range) -> None:
    tell(f"Telegram to Telegram, {len(people)} questions")
    left = iter(people)
    await load(lambda: chats.ask(next(left)), in_flight=IN_FLIGHT, count=len(people))


async def _look(chats: Chats, js: JetStream) -> Look:
    pids = {**{name: process.pid for name, process in chats.processes.items()}, "nats": chats.nats.pid}
    states = {name: (await js.stream_info(name)).state for name in (*STREAMS, MARKS)}
    return Look(
        time.monotonic(),
        usage.of_all(pids),
        {name: usage.private_mib(pid) for name, pid in pids.items()},
        {name: state.last_seq for name, state in states.items()},
        {name: state.bytes for name, state in states.items()},
    )
