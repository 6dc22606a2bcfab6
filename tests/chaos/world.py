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

from nats.js import JetStreamContext

from edge.sandbox.message_box import StoredMessage
from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID
from edge.userbot.chat.record import ChatRecord, UnreadableRecord, from_json
from events import subjects
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.jetstream.records import JetStreamRecords
from events.records import Stored
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from tests.chaos.accounts import Nats, running
from tests.chaos.chronicle import Chronicle
from tests.chaos.edges import Edge, bot_account, connected_accounts, put_in_charge, put_in_group, user_account
from tests.chaos.processes import End, Program, left_behind
from tests.promises.lines import BOT, BUSINESS, EDGES, USER
from tests.rabbitmq_node import RabbitMQNode
from tests.retrying import RETRYING

KINDS = (*EDGES, "generate", "bridge", "nats", "rabbitmq", "generate-rabbitmq")
GRACES = {USER: 5.0, BOT: 5.0, BUSINESS: 5.0, "generate": 20.0, "bridge": 5.0, "generate-rabbitmq": 20.0}
"""Seconds, by the kinds of our own processes: the defaults; 5 s make up the 10 s of one without a grace of its own."""
GENERATES = 2
READY = 90.0
"""Seconds in which a process is ready."""
RESTART = 1.0
"""Seconds after which a process that ended by itself is started again."""
LOOP = 10.0
"""Seconds of life below which an end by itself is one of a restart loop."""
POLICY = "policy"
"""In place of a chat, in the key of what concerns all of an account's chats."""
Act = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Victim:
    """One process of a kind; `pid` gives None when it does not run, or must not be frozen.

    `edges`: which accounts it answers. A `program` that ends by itself is started again, as compose does. Whoever does
    something to a victim holds its `lock`.
    """

    kind: str
    kill: Act
    start: Act
    pid: Callable[[], int | None]
    program: Program | None = None
    edges: tuple[Edge, ...] = ()
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def account(self) -> str:
        """The kind of the only edge that it matters to, empty if it is everybody's."""
        return self.edges[0].kind if len(self.edges) == 1 else ""

    async def supervise(self, chronicle: Chronicle) -> None:
        while self.program:
            await asyncio.sleep(0.1)
            if self.pid() is None and not self.lock.locked():
                with chronicle.during("exit", self.kind, self.account):
                    await asyncio.sleep(RESTART)
                    async with self.lock:
                        if self.pid() is None:
                            await self.start()

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
    """`telegram_lock` is held by whoever has cut everybody off."""

    directory: Path
    telegram: Sandbox
    nats: Nats
    edges: list[Edge] = field(default_factory=list)
    chronicle: Chronicle = field(default_factory=Chronicle)
    victims: list[Victim] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    left_behind: list[int] = field(default_factory=list)
    rabbitmq: RabbitMQNode | None = None
    telegram_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of victims that there are."""
        return [kind for kind in KINDS if self.of(kind)]

    def of(self, *kinds: str) -> list[Victim]:
        return [victim for victim in self.victims if victim.kind in kinds]

    @property
    def ours(self) -> list[Victim]:
        return [victim for victim in self.victims if victim.program]

    @property
    def programs(self) -> list[Program]:
        return [victim.program for victim in self.victims if victim.program]

    async def ready(self) -> None:
        """The userbots have been here: from now on everything that they miss is fetched."""
        for edge in self.edges:
            await self._has_written(edge.log, f"{USER}.ready", f"{BUSINESS}.ready")
            if edge.group:  # what was written there before is nothing to answer
                await self._has_written(edge.log, f'"group": "{edge.group.id}"')
        # A connection that nobody has heard of when it is replaced is nobody's.
        for edge in self.edges:
            if edge.bot:
                self.telegram.connect_business(edge.account.id, edge.bot.id)
                await self._has_written(edge.log, f'"account": "{edge.account.id}", "event": "account.opened"')

    @staticmethod
    async def _has_written(log: Path, *words: str) -> None:
        """Wait until one of `words` is in a log."""
        async with asyncio.timeout(READY):
            while not any(word in _written(log) for word in words):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[JetStreamContext]:
        async with connect(self.nats.server.url, name="chaos", access=self.nats.access) as js:
            yield js

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[tuple[JetStreamRecords, JetStreamLog]]:
        """The chat records, and the streams. Raises TransportError."""
        async with self.connected() as js:
            yield await JetStreamRecords.open(js, subjects.CHATS_BUCKET, retrying=RETRYING), JetStreamLog(js)

    def write_chats(self, path: Path) -> None:
        """What the accounts have in their chats, a line a message, to lay beside the logs."""
        lines = [
            f"{edge.kind} chat {message.peer_id} {'to' if message.out else 'from'} message {message.id}"
            f"{f' reply to {message.reply_to}' if message.reply_to else ''}"
            f"{' edited' if message.edited else ''}: {message.text}\n"
            for edge in self.edges
            for message in [*edge.account.box.messages.values(), *_of_group(edge)]
        ]
        path.write_text("".join(lines))

    async def stop(self) -> None:
        """SIGTERM to all of ours."""

        async def stop(victim: Victim) -> None:
            async with victim.lock:
                if victim.program:
                    await victim.program.terminate()

        await asyncio.gather(*(stop(victim) for victim in self.ours))


@asynccontextmanager
async def world(
    directory: Path,
    *,
    rabbitmq: bool,
    accounts: bool,
    owned: bool,
    business: bool,
    grouped: bool,
    settings: dict[str, str],
) -> AsyncIterator[World]:
    """Everything runs and is supervised inside; afterwards all of it has ended, and `ends` says how.

    `owned`: the owners are in charge. `business`: the edge is one of business connections. `grouped`: the user's
    account is in a group.
    """
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(running(directory / "nats", accounts=accounts))
        telegram = await stack.enter_async_context(Sandbox())
        key = directory / "telegram.pem"
        key.write_text(telegram.public_key_pem)
        environment = {
            "API_ID": str(API_ID),
            "API_HASH": API_HASH,
            "NATS_URL": nats.server.url,
            "USERBOT_TELEGRAM_SERVER": telegram.address,
            "USERBOT_TELEGRAM_KEY": str(key),
            **settings,
        }
        made = World(directory, telegram, nats)
        made.victims.append(Victim("nats", nats.server.kill, nats.server.start, lambda: nats.server.pid))
        own_settings = {**environment, **nats.settings("userbot")}
        if business:
            await _add_business(made, stack, own_settings)
        else:
            await _add_edges(made, stack, own_settings, owned=owned, grouped=grouped)
        processes = [("generate", "generate", {"GENERATE_TRIGGER": "jetstream"})] * GENERATES
        if rabbitmq:
            node = await stack.enter_async_context(RabbitMQNode(directory / "rabbitmq", clock=SystemClock()))
            made.rabbitmq = node
            made.victims.append(Victim("rabbitmq", node.kill, node.start, lambda: None))
            environment["RABBITMQ_URL"] = node.url
            processes += [("bridge", "bridge", {}), ("generate-rabbitmq", "generate", {"GENERATE_TRIGGER": "rabbitmq"})]
        for kind, name, own in processes:
            await _add(made, stack, kind, name, {**environment, **nats.settings(name), **own})
        supervisors = [asyncio.create_task(victim.supervise(made.chronicle)) for victim in made.ours]
        try:
            await made.ready()
            yield made
        finally:
            for task in supervisors:
                task.cancel()
            await asyncio.gather(*supervisors, return_exceptions=True)
            await made.stop()
            made.left_behind = left_behind([group for program in made.programs for group in program.groups])


async def _add_edges(
    made: World, stack: AsyncExitStack, environment: dict[str, str], *, owned: bool, grouped: bool
) -> None:
    """One begins with live answers, the other without."""
    telegram, directory = made.telegram, made.directory
    accounts = {USER: await user_account(telegram, directory), BOT: bot_account(telegram, directory)}
    for kind, (account, own) in accounts.items():
        edge = Edge(kind, account, {**environment, **own}, directory / f"{kind}-1" / "userbot.log")
        if made.edges:
            edge.switch_live()
        if owned:
            put_in_charge(telegram, edge)
        if grouped and kind == USER:
            put_in_group(telegram, edge)
        made.edges.append(edge)
        victim = await _add(made, stack, kind, "userbot", edge.environment)
        victim.edges = (edge,)


async def _add_business(made: World, stack: AsyncExitStack, environment: dict[str, str]) -> None:
    persons, bot, own = connected_accounts(made.telegram, made.directory)
    environment, log = {**environment, **own}, made.directory / f"{BUSINESS}-1" / f"{BUSINESS}.log"
    made.edges += [Edge(f"{BUSINESS}-{n}", person, environment, log, bot=bot) for n, person in enumerate(persons, 1)]
    victim = await _add(made, stack, BUSINESS, BUSINESS, environment)
    victim.edges = tuple(made.edges)


async def _add(made: World, stack: AsyncExitStack, kind: str, name: str, environment: dict[str, str]) -> Victim:
    directory = made.directory / f"{kind}-{len(made.of(kind)) + 1}"
    directory.mkdir()
    program = Program(kind, name, directory, environment, grace=GRACES[kind], ends=made.ends)
    stack.push_async_callback(program.kill)
    await program.start()
    victim = Victim(kind, program.kill, program.start, lambda: program.pid, program)
    made.victims.append(victim)
    return victim


async def records_of(stored: JetStreamRecords, edge: Edge) -> dict[str, ChatRecord | None]:
    """By chat, None: it can't be read. The policy record is none of them. Raises TransportError."""
    prefix = f"{edge.account.id}."
    found: dict[str, ChatRecord | None] = {}

    async def take(key: str, record: Stored) -> None:
        if (chat := key.removeprefix(prefix)) != POLICY:
            found[chat] = _readable(record.value)

    await stored.each(prefix, take, retrying=Retrying(SystemClock(), Random()))
    return found


def _of_group(edge: Edge) -> list[StoredMessage]:
    return [*edge.group.box.messages.values()] if edge.group and edge.group.box else []


def _written(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def _readable(value: bytes) -> ChatRecord | None:
    try:
        return from_json(value)
    except UnreadableRecord:
        return None


def has_rabbitmq() -> bool:
    home = Path(os.environ.get("RABBITMQ_HOME", "/usr/lib/rabbitmq"))
    return (home / "bin/rabbitmq-server").exists() and shutil.which("epmd") is not None
