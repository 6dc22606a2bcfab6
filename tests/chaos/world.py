"""Everything that can be killed: the product's processes, the brokers, and a Telegram in this process."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from edge.demo.processes import Process
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot.chats import Chats
from events import subjects
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.jetstream.server import EmbeddedServer
from events.rabbitmq.server import RabbitMQNode
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

OWNER_PHONE = "+79990000000"
KINDS = ("userbot", "generate", "bridge", "nats", "rabbitmq", "generate-rabbitmq")
WITHOUT_RABBITMQ = ("userbot", "generate", "nats")
GENERATES = 2
RESTART = 1.0
"""Seconds after which a process that ended by itself is started again."""
Act = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Victim:
    """One process of a kind; `pid` gives None when it does not run, or must not be frozen.

    A `supervised` one that ends by itself is started again, as compose does: e.g. it finds no NATS at its start.
    """

    kind: str
    kill_it: Act
    start_it: Act
    pid: Callable[[], int | None]
    supervised: bool = False
    down: bool = False

    async def kill(self) -> None:
        self.down = True
        await self.kill_it()

    async def start(self) -> None:
        await self.start_it()
        self.down = False

    async def supervise(self) -> None:
        while self.supervised:
            await asyncio.sleep(RESTART)
            if not self.down and self.pid() is None:
                await self.start_it()

    def freeze(self) -> bool:
        return self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True


@dataclass
class World:
    directory: Path
    telegram: Sandbox
    owner: Account
    nats: EmbeddedServer
    victims: list[Victim] = field(default_factory=list)

    def of(self, kind: str) -> list[Victim]:
        return [victim for victim in self.victims if victim.kind == kind]

    async def ready(self) -> None:
        """The userbot has been here: from now on everything that it misses is fetched."""
        log = self.directory / "userbot-1" / "userbot.log"
        async with asyncio.timeout(90):
            while not (log.exists() and "userbot.ready" in log.read_text()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[tuple[Chats, JetStreamLog]]:
        async with connect(self.nats.url, name="chaos") as js:
            chats = Chats(
                await JetStreamRecords.open(js, subjects.CHATS_BUCKET),
                str(self.owner.id),
                retrying=Retrying(SystemClock(), Random()),
            )
            yield chats, JetStreamLog(js)


@asynccontextmanager
async def world(directory: Path, *, rabbitmq: bool, settings: dict[str, str]) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(EmbeddedServer(directory / "nats"))
        telegram = await stack.enter_async_context(Sandbox())
        owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
        session, key = directory / "owner.session", directory / "telegram.pem"
        await signed_in_session(telegram, OWNER_PHONE, session=session)
        key.write_text(telegram.public_key_pem)
        made = World(directory, telegram, owner, nats)
        environment = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "BOT_TOKEN": "",
            "NATS_URL": nats.url,
            "USERBOT_SESSION": str(session),
            "USERBOT_TELEGRAM_SERVER": telegram.address,
            "USERBOT_TELEGRAM_KEY": str(key),
            **settings,
        }
        made.victims.append(Victim("nats", nats.kill, nats.start, lambda: nats.pid))
        processes = [("userbot", "userbot", {})]
        processes += [("generate", "generate", {"GENERATE_TRIGGER": "jetstream"})] * GENERATES
        if rabbitmq:
            node = await stack.enter_async_context(RabbitMQNode(directory / "rabbitmq", clock=SystemClock()))
            made.victims.append(Victim("rabbitmq", node.kill, node.start, lambda: None))
            environment["RABBITMQ_URL"] = node.url
            processes += [("bridge", "bridge", {}), ("generate-rabbitmq", "generate", {"GENERATE_TRIGGER": "rabbitmq"})]
        for kind, name, own in processes:
            await _add(made, stack, kind, name, {**environment, **own})
        supervisors = [asyncio.create_task(victim.supervise()) for victim in made.victims]
        try:
            await made.ready()
            yield made
        finally:
            for task in supervisors:
                task.cancel()
            await asyncio.gather(*supervisors, return_exceptions=True)


async def _add(made: World, stack: AsyncExitStack, kind: str, name: str, environment: dict[str, str]) -> None:
    directory = made.directory / f"{kind}-{len(made.of(kind)) + 1}"
    directory.mkdir()
    process = Process(name, directory, environment)
    stack.push_async_callback(process.kill)
    await process.start()
    made.victims.append(Victim(kind, process.kill, process.start, lambda: process.pid, supervised=True))


def has_rabbitmq() -> bool:
    home = Path(os.environ.get("RABBITMQ_HOME", "/usr/lib/rabbitmq"))
    return (home / "bin/rabbitmq-server").exists() and shutil.which("epmd") is not None
