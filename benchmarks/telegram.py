"""From a Telegram message to its answer there: the sandbox, a real userbot and a real generate function (echo)."""

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.path import percentile
from benchmarks.progress import tell
from cli.demo.nats_server import EmbeddedServer
from cli.demo.processes import CommandProcess, running
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session

OWNER_PHONE = "+79990000001"
QUESTION, ANSWER = "Тимоха, как дела?", "как дела?"
VISITORS, WARM_UP, QUESTIONS = 20, 20, 200
"""Each asks in turn: a chat's own question before is over by then."""
PAUSE = 0.1
"""Seconds after an answer: what the userbot does afterwards is no part of the next question.

A question costs two messages. So long a pause keeps below what the userbot sends itself: a message a second in a chat
and USERBOT_SENDS_PER_SECOND in all. With 0.05 s the slowest questions waited for that, 0.36 s, and nothing else.
"""
TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Chats:
    telegram: Sandbox
    owner: Account
    visitors: list[Account]
    nats: EmbeddedServer
    processes: Mapping[str, CommandProcess]
    """By the names of their commands."""

    @property
    def nats_url(self) -> str:
        return self.nats.url

    async def ask(self, number: int) -> float:
        """Seconds until the answer can be read in the visitor's chat; the thinking line comes before."""
        visitor = self.visitors[number % len(self.visitors)]
        before = len(self.telegram.messages(visitor.id, self.owner.id))
        began = time.perf_counter()
        self.telegram.send(visitor.id, self.owner.id, QUESTION)
        await self.telegram.wait_for(lambda: self._answered(visitor, before), TIMEOUT)
        return time.perf_counter() - began

    def _answered(self, visitor: Account, before: int) -> bool:
        new = self.telegram.messages(visitor.id, self.owner.id)[before:]
        return any(message.text == ANSWER and not message.out for message in new)


async def measure() -> dict[str, object]:
    """Milliseconds from message to answer, one question at a time."""
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with product(Path(directory), {"GENERATE_ENGINE": "echo"}) as chats:
            gc.freeze()  # this process is Telegram: a collection of all that the parts before have loaded stops it
            seconds = []
            for number in range(WARM_UP + QUESTIONS):
                tell(f"Telegram to Telegram, question {number} of {WARM_UP + QUESTIONS}")
                seconds.append(await chats.ask(number))
                await asyncio.sleep(PAUSE)
    measured = seconds[WARM_UP:]
    return {
        "telegram_p50_ms": round(statistics.median(measured) * 1000, 1),
        "telegram_p99_ms": round(percentile(measured, 99) * 1000, 1),
    }


@asynccontextmanager
async def product(directory: Path, changes: Mapping[str, str], *, people: int = VISITORS) -> AsyncIterator[Chats]:
    """Everything runs inside, and so many people write; `changes` are settings of the processes."""
    async with EmbeddedServer(directory / "nats") as nats, Sandbox() as telegram:
        owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
        visitors = [
            telegram.add_user(first_name=f"Visitor {number}", phone=f"+7999100{number:04}") for number in range(people)
        ]
        session, key = directory / "owner.session", directory / "telegram.pem"
        await signed_in_session(telegram, OWNER_PHONE, session=session)
        await asyncio.to_thread(key.write_text, telegram.public_key_pem)
        settings = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "BOT_TOKEN": "",
            "NATS_URL": nats.url,
            "USERBOT_SESSION": str(session),
            "USERBOT_TELEGRAM_SERVER": telegram.address,
            "USERBOT_TELEGRAM_KEY": str(key),
            "USERBOT_MAX_ANSWERS_PER_MINUTE": "0",
            **changes,
        }
        processes = {name: CommandProcess(name, directory, settings) for name in ("generate", "userbot")}
        async with running(*processes.values()):
            await telegram.wait_for(lambda: telegram.sessions(owner.id), TIMEOUT)
            yield Chats(telegram, owner, visitors, nats, processes)
