"""Live answers: from a message on Telegram to the first words of its answer on the user's screen, one user at a time.

`python -m benchmarks.live`. The sandbox, a real userbot and a real generate function with the default model; the users
are stock clients, whose screen has the words when their edit has come.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from pyrogram import Client
from pyrogram.handlers import EditedMessageHandler
from pyrogram.types import Message

from benchmarks.path import percentile
from benchmarks.progress import tell
from benchmarks.telegram import TIMEOUT, Chats, product
from edge.sandbox.visitor import connect

USERS, WARM_UP, QUESTIONS = 5, 5, 25
"""They ask in turn, so that the pace in a chat holds nobody up."""
SILENCE = 2.0
"""Seconds without an edit after which an answer is taken to be whole; edits come once a second."""
ASKED = (
    "Как твои дела?",
    "Расскажи о себе подробно.",
    "Что ты думаешь о погоде?",
    "Посоветуй, что почитать на выходных.",
    "Почему небо голубое?",
    "What do you do on weekends?",
    "Расскажи длинную историю.",
    "Как приготовить борщ?",
)


@dataclass
class Screen:
    """A user's client, and the edits that it has shown, each with its time."""

    client: Client
    edits: "asyncio.Queue[tuple[float, str]]" = field(default_factory=asyncio.Queue)


@dataclass(frozen=True, slots=True)
class Seen:
    """Seconds from the question; `edits` counts the last one, which is the answer."""

    first: float
    last: float
    edits: int


async def measure() -> dict[str, object]:
    """`first_words_before_the_answer`: of how many answers the first words came ahead of the rest, 0 to 1."""
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with product(Path(directory), {"USERBOT_LIVE": "true"}) as chats, _screens(chats) as screens:
            seen = []
            for number in range(WARM_UP + QUESTIONS):
                tell(f"live answers, question {number} of {WARM_UP + QUESTIONS}")
                question = f"Тимоха, {ASKED[number % len(ASKED)]}"
                seen.append(await _ask(chats, screens[number % USERS], question))
    measured = seen[WARM_UP:]
    first = [one.first for one in measured]
    return {
        "first_words_seconds": round(statistics.median(first), 3),
        "first_words_p99_seconds": round(percentile(first, 99), 3),
        "live_answer_seconds": round(statistics.median(one.last for one in measured), 3),
        "first_words_before_the_answer": round(sum(one.edits > 1 for one in measured) / len(measured), 2),
    }


@asynccontextmanager
async def _screens(chats: Chats) -> AsyncIterator[list[Screen]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_screen(chats, number)) for number in range(USERS)]


@asynccontextmanager
async def _screen(chats: Chats, number: int) -> AsyncIterator[Screen]:
    edits: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def edited(_: Client, message: Message) -> None:
        edits.put_nowait((time.perf_counter(), str(message.text)))

    async with connect(chats.telegram, f"+{chats.visitors[number].phone}", EditedMessageHandler(edited)) as client:
        assert chats.owner.username
        await client.resolve_peer(chats.owner.username)
        yield Screen(client, edits)


async def _ask(chats: Chats, screen: Screen, question: str) -> Seen:
    """Until nothing more comes."""
    began = time.perf_counter()
    await screen.client.send_message(chats.owner.id, question)
    times = []
    async with asyncio.timeout(TIMEOUT):
        times.append((await screen.edits.get())[0])
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                times.append((await screen.edits.get())[0])
        except TimeoutError:
            return Seen(times[0] - began, times[-1] - began, len(times))


def main() -> None:
    result = asyncio.run(measure())
    click.echo("\n".join(f"{name}: {value}" for name, value in result.items()))
    click.echo("first_words_seconds: at most 0.1")


if __name__ == "__main__":
    main()
