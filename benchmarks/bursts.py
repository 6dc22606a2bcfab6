"""How long a message waits until its question is asked of a model, with the prefix and without.

The product runs with the sandbox Telegram and the default debounce. A question without the prefix is the last of a
burst of two messages; all kinds are asked in turns, so that noise hits each.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nats.aio.msg import Msg

from benchmarks.progress import tell
from benchmarks.telegram import PAUSE, TIMEOUT, Chats, product
from events import subjects
from events.jetstream.connection import JetStream, connect
from events.jetstream.core_nats import listen
from events.transport import Channel

ROUNDS = 20
WITHIN_BURST = 0.3
"""Seconds between the two messages of a burst."""
SETTINGS = {
    "GENERATE_ENGINE": "echo",
    "USERBOT_TRIGGERS": "private",
    "USERBOT_MAX_WITHOUT_PREFIX_PER_HOUR": "0",
}


async def measure() -> dict[str, object]:
    """Milliseconds from the last message to the request, as medians, and the one over the other."""
    seconds: dict[str, list[float]] = {"prefix": [], "question": [], "statement": []}
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            product(Path(directory), SETTINGS) as chats,
            connect(chats.nats_url, name="bench") as js,
            _requests(js) as asked,
        ):
            for number in range(ROUNDS + 1):
                tell(f"with the prefix and without, round {number} of {ROUNDS}")
                for kind in sorted(seconds, reverse=bool(number % 2)):
                    took = await _ask(chats, asked, kind, number)
                    seconds[kind] += [took] if number else []
    return figures(seconds)


def figures(seconds: dict[str, list[float]]) -> dict[str, object]:
    """The keys of `bursts` in build/bench.json."""
    medians = {kind: statistics.median(took) for kind, took in seconds.items()}
    return {
        **{f"{kind}_ms": round(median * 1000, 1) for kind, median in medians.items()},
        "question_waits_longer_seconds": round(medians["question"] - medians["prefix"], 3),
        "question_ratio": round(medians["question"] / medians["prefix"], 1),
    }


async def _ask(chats: Chats, asked: asyncio.Queue[float], kind: str, number: int) -> float:
    """Write to the account as the next visitor; return seconds from the last message to the request."""
    visitor, question = chats.visitors[number % len(chats.visitors)], f"{kind} {number}"
    if kind == "prefix":
        texts = [f"Тимоха, {question}?"]
    else:
        texts = [f"раз {question}", f"два {question}{'?' if kind == 'question' else ''}"]
    for text in texts[:-1]:
        chats.telegram.send(visitor.id, chats.owner.id, text)
        await asyncio.sleep(WITHIN_BURST)
    sent = time.perf_counter()
    chats.telegram.send(visitor.id, chats.owner.id, texts[-1])
    async with asyncio.timeout(TIMEOUT):
        at = await asked.get()
        await chats.telegram.wait_for(lambda: _is_answered(chats, visitor.id, texts[-1]), TIMEOUT)
    await asyncio.sleep(PAUSE)
    return at - sent


def _is_answered(chats: Chats, visitor: int, text: str) -> bool:
    answer = text.removeprefix("Тимоха, ")
    messages = chats.telegram.messages(visitor, chats.owner.id)
    return any(message.text.endswith(answer) and not message.out for message in messages)


@asynccontextmanager
async def _requests(js: JetStream) -> AsyncIterator[asyncio.Queue[float]]:
    """Put the time of each request that is published into a queue."""
    asked: asyncio.Queue[float] = asyncio.Queue()

    async def note(_message: Msg) -> None:
        asked.put_nowait(time.perf_counter())

    async with listen(js, subjects.every_subject(Channel.REQUESTS), note):
        yield asked
