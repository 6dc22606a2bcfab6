"""The product on a store of some size: starts of the userbot, and what those then wait for who write to it."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks.stored import at_rest, stored
from cli.demo.processes import CommandProcess, running
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot.chat import record as records
from edge.userbot.chat.question_progress import record_answer
from edge.userbot.chat.record import ChatRecord, Question
from edge.userbot.storage.chats import Chats, open_chats
from events.ids import RequestId
from events.jetstream.connection import JetStream, connect
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

OWNER_PHONE = "+79990000001"
UNFINISHED = 20
"""Chats in each start that still get an answer."""
EACH = 5
"""Questions and deletions of a start, one after the other, each in a chat that this process has not seen yet."""
QUESTION, ANSWER = "Тимоха, как дела?", "как дела?"
READY = "userbot.ready"
PATIENCE = 1800
"""Seconds until a start has failed."""
TIMEOUT = 60
FORGOTTEN_AFTER = 10
"""Seconds after a start until an unfinished chat counts as forgotten."""


@dataclass(slots=True)
class Start:
    """Seconds from the process's start to when it was ready, unfinished chats that it forgot, lines that it logged."""

    ready: float
    forgotten: int
    lines: int


@dataclass(slots=True)
class Round(Start):
    """Seconds: from the start to the answer of a question that waited; then of single questions and so on."""

    first_answer: float
    answer: float
    delete: float
    doctor: float


@dataclass(slots=True)
class ManyChats:
    """Everything runs but the userbot, which each method starts and stops. `fresh` have written nothing yet."""

    telegram: Sandbox
    owner: Account
    unfinished: list[Account]
    fresh: Iterator[Account]
    directory: Path
    settings: Mapping[str, str]
    js: JetStream
    number: int = 0
    """Of the answer that the unfinished chats get next."""

    async def first_start(self) -> Start:
        """On a store that an earlier version has left."""
        async with self._started() as (ready, lines):
            return Start(ready, await self._forgotten(), lines())

    async def round(self) -> Round:
        """A start with unfinished chats and a question that waits, then single questions, deletions and the doctor."""
        await self._leave_unfinished()
        waiting = next(self.fresh)
        self.telegram.send(waiting.id, self.owner.id, QUESTION)
        began = time.perf_counter()
        async with self._started() as (ready, lines):
            await self.telegram.wait_for(lambda: self._heard(waiting, ANSWER), TIMEOUT)
            first_answer = time.perf_counter() - began
            return Round(
                ready,
                await self._forgotten(),
                lines(),
                first_answer,
                answer=await self._each(QUESTION, ANSWER),
                delete=await self._each("/delete_history", None),
                doctor=await self._doctor(),
            )

    async def _leave_unfinished(self) -> None:
        """As a userbot does that is stopped before it has sent what it has."""
        self.number += 1
        chats = await _chats(self.js, str(self.owner.id))
        for visitor in self.unfinished:
            leave = self._unfinished(visitor)
            await chats.change(str(visitor.id), leave)

    def _unfinished(self, visitor: Account) -> Callable[[ChatRecord], ChatRecord]:
        asked = asked_plainly(self.telegram, visitor, self.owner)
        return lambda record: unfinished(record, asked, self.number)

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[tuple[float, Callable[[], int]]]:
        process = CommandProcess("userbot", self.directory, self.settings)
        before = len(_lines(process.log))
        began = time.perf_counter()
        async with running(process):
            async with asyncio.timeout(PATIENCE):
                while not any(READY in line for line in _lines(process.log)[before:]):  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.01)
            yield time.perf_counter() - began, lambda: len(_lines(process.log)) - before

    async def _forgotten(self) -> int:
        answer = answer_number(self.number)

        def left() -> list[Account]:
            return [visitor for visitor in self.unfinished if not self._heard(visitor, answer)]

        with suppress(TimeoutError):
            await self.telegram.wait_for(lambda: not left(), FORGOTTEN_AFTER)
        return len(left())

    async def _each(self, text: str, answer: str | None) -> float:
        """The median of some visitors' seconds from `text` to `answer`, or to any if it is None."""
        seconds = []
        for _ in range(EACH):
            visitor, began = next(self.fresh), time.perf_counter()
            self.telegram.send(visitor.id, self.owner.id, text)
            await self.telegram.wait_for(lambda: self._heard(visitor, answer), TIMEOUT)  # noqa: B023 - at once
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)

    def _heard(self, visitor: Account, text: str | None) -> bool:
        written = (message for message in self.telegram.messages(visitor.id, self.owner.id) if not message.out)
        return any(text in (None, message.text) for message in written)

    async def _doctor(self) -> float:
        """Seconds of `timokha doctor`, which must find everything well."""
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "doctor"),
            cwd=self.directory,
            env={**os.environ, **self.settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"timokha doctor finds fault: {said.decode()}")
        return time.perf_counter() - began


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def answer_number(number: int) -> str:
    """What the unfinished chats get."""
    return f"Ответ номер {number}"


def asked_plainly(telegram: Sandbox, visitor: Account, owner: Account) -> RequestId:
    """Send a message that is not for the bot, which an answer can be the reply to; return its request id."""
    telegram.send(visitor.id, owner.id, "Привет!")
    message = telegram.messages(owner.id, visitor.id)[-1]
    return RequestId(str(owner.id), str(visitor.id), str(message.id))


def unfinished(record: ChatRecord, asked: RequestId, number: int) -> ChatRecord:
    """With an answer that is still to be sent."""
    now = datetime.now(UTC)
    question = Question(message_id=int(asked.message), text=QUESTION, locale="ru", asked_at=now)
    current = records.ask(question, asked, now + timedelta(minutes=10))
    return record_answer(record.having(current=current), str(asked), answer_number(number), now)


async def _chats(js: JetStream, account: str) -> Chats:
    """As the userbot opens them."""
    retrying = Retrying(SystemClock(), Random())  # noqa: S311 - jitter, not a secret
    return await open_chats(js, account, retrying=retrying)


@asynccontextmanager
async def many_chats(directory: Path, chats: int, *, rounds: int) -> AsyncIterator[ManyChats]:
    """A store with so many chats, some of them unfinished, and what the userbot talks to."""
    await asyncio.to_thread(directory.mkdir)
    async with Sandbox() as telegram, AsyncExitStack() as stack:
        owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
        session, key = directory / "owner.session", directory / "telegram.pem"
        await signed_in_session(telegram, OWNER_PHONE, session=session)
        await asyncio.to_thread(key.write_text, telegram.public_key_pem)
        visitors = [
            telegram.add_user(first_name=f"Visitor {number}", phone=f"+7999100{number:04}")
            for number in range(UNFINISHED + rounds * (1 + 2 * EACH))
        ]
        own = {str(visitor.id): at_rest() for visitor in visitors}
        for visitor in visitors[:UNFINISHED]:
            asked = asked_plainly(telegram, visitor, owner)
            own[asked.chat] = unfinished(own[asked.chat], asked, 0)
        nats = await stack.enter_async_context(stored(directory / "nats", str(owner.id), chats=chats, own=own))
        settings = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "BOT_TOKEN": "",
            "NATS_URL": nats.url,
            "GENERATE_ENGINE": "echo",
            "USERBOT_SESSION": str(session),
            "USERBOT_TELEGRAM_SERVER": telegram.address,
            "USERBOT_TELEGRAM_KEY": str(key),
        }
        js = await stack.enter_async_context(connect(nats.url, name="bench"))
        await stack.enter_async_context(running(CommandProcess("generate", directory, settings)))
        yield ManyChats(telegram, owner, visitors[:UNFINISHED], iter(visitors[UNFINISHED:]), directory, settings, js)
