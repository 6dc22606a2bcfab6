"""The whole product as its processes, against an in-process sandbox Telegram."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from pyrogram import Client
from pyrogram.handlers.handler import Handler

from cli.demo.nats_server import EmbeddedServer, embedded
from cli.demo.processes import CommandProcess
from edge.sandbox import messaging
from edge.sandbox.message_box import StoredMessage
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_HASH, API_ID, connect, signed_in_session
from edge.userbot import phrases
from events.runtime.clock import Clock

OWNER_PHONE = "+79990000000"
WAIT = 40.0
"""Seconds; generous, nothing takes as long unless it is broken."""
BOTH_ACCOUNTS = [pytest.param(False, id="user"), pytest.param(True, id="bot")]
"""For `bot`, where it matters which kind of account the userbot has."""
BOT_TOO = [BOTH_ACCOUNTS[0], pytest.param(True, id="bot", marks=pytest.mark.slow)]
THINKING = {phrases.thinking(locale, str(number)) for locale in ("ru", "en") for number in range(200)}


@dataclass
class Product:
    """Userbot, generate and NATS as processes; `settings` go to those two, `own` to the one that it names."""

    directory: Path
    telegram: Sandbox
    nats: EmbeddedServer
    owner: Account
    settings: dict[str, str]
    processes: dict[str, CommandProcess] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    visitors: int = 0

    def visitor(self, lang_code: str = "ru", *, bot: bool = False) -> Account:
        self.visitors += 1
        number = f"{self.visitors:04}"
        return self.telegram.add_user(
            first_name=f"Visitor {number}", phone=f"+7999111{number}", lang_code=lang_code, bot=bot
        )

    def phone(self, visitor: Account) -> str:
        return f"+{visitor.phone}"

    def says(self, visitor: Account, text: str) -> StoredMessage:
        """Write to the owner, without a client; the owner's copy comes back."""
        self.telegram.send(visitor.id, self.owner.id, text)
        return self.telegram.messages(self.owner.id, visitor.id)[-1]

    def owner_client(self, *handlers: Handler) -> AbstractAsyncContextManager[Client]:
        """A second session of the owner's, e.g. the phone; not of a bot account."""
        return connect(self.telegram, OWNER_PHONE, *handlers)

    def owner_says(self, visitor: Account, text: str, *, reply_to: int | None = None) -> StoredMessage:
        """Write to the visitor from another session of the owner's, without a client."""
        return self.telegram.send(self.owner.id, visitor.id, text, reply_to=reply_to)

    def order(self, text: str, *, reply_to: int | None = None, by: Account | None = None) -> StoredMessage:
        """Write to Saved Messages; with `by`, as the owner of a bot account, to the bot. The writer's copy."""
        return self.telegram.send((by or self.owner).id, self.owner.id, text, reply_to=reply_to)

    def saved(self, of: Account | None = None) -> list[str]:
        """What stands in Saved Messages; with `of`, in the chat of the owner of a bot account with the bot."""
        return [message.text for message in self.telegram.messages((of or self.owner).id, self.owner.id)]

    def written(self, visitor: Account) -> list[StoredMessage]:
        """What the userbot wrote to the visitor, as it lies in the owner's box."""
        return [message for message in self.telegram.messages(self.owner.id, visitor.id) if message.out]

    def delete(self, visitor: Account) -> None:
        """As the visitor: everything that the userbot wrote, on both sides."""
        messages = self.telegram.messages(visitor.id, self.owner.id)
        messaging.delete(
            self.telegram.state, visitor, [message for message in messages if not message.out], revoke=True
        )

    def answers(self, visitor: Account) -> list[str]:
        """The same without the thinking lines."""
        return [message.text for message in self.written(visitor) if message.text not in THINKING]

    async def until(self, condition: Callable[[], object], timeout: float = WAIT) -> None:
        await self.telegram.wait_for(condition, timeout)

    async def start(self, *names: str) -> None:
        for name in names or ("userbot", "generate"):
            settings = {**self.settings, **self.own.get(name, {})}
            self.processes[name] = CommandProcess(name, self.directory, settings)
            await self.processes[name].start()

    async def kill(self, name: str) -> None:
        await self.processes[name].kill()

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop() for process in self.processes.values()))

    async def ready(self) -> None:
        """The userbot listens: nothing written from now on can be from before its first start."""
        await self.until(lambda: self.telegram.sessions(self.owner.id))
        await self.logged("userbot.ready")

    async def logged(self, event: str, times: int = 1, *, by: str = "userbot") -> None:
        async with asyncio.timeout(WAIT):
            while self.log(by).count(event) < times:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.05)

    async def free(self, visitor: Account, times: int = 1) -> None:
        """As many of the visitor's questions are settled: the answer can be seen a moment before that is stored."""
        key = f"{self.owner.id}.{visitor.id}."
        async with asyncio.timeout(WAIT):
            while self._settled(key) < times:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)

    def _settled(self, key: str) -> int:
        return sum(key in line and "question.settled" in line for line in self.log("userbot").splitlines())

    def log(self, name: str) -> str:
        path = self.directory / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def spans(self) -> list[dict]:
        path = Path(self.settings["TIMOKHA_TRACE_FILE"])
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def a_new_second() -> None:
    """Whose a message is from the second in which the records were made is not known; Telegram dates in seconds."""
    second = int(time.time())
    while int(time.time()) == second:  # noqa: ASYNC110 - a clock has no event
        await asyncio.sleep(0.02)


@asynccontextmanager
async def product(
    directory: Path, *, bot: bool = False, business: bool = False, clock: Clock | None = None, **settings: str
) -> AsyncIterator[Product]:
    """NATS and Telegram run, the processes are still to be started. A `bot` account signs in at the first start.

    `business`: people may connect the bot to their accounts. `clock`: Telegram's.
    """
    server = EmbeddedServer(directory / "nats", configured=_with_room)
    async with server as nats, Sandbox(clock=clock) as telegram:
        session, key = directory / "owner.session", directory / "telegram.pem"
        if bot:
            owner = telegram.add_user(first_name="Тимоха", username="timokha", bot=True, business=business)
        else:
            owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
            await signed_in_session(telegram, OWNER_PHONE, session=session)
        key.write_text(telegram.public_key_pem)
        made = Product(
            directory,
            telegram,
            nats,
            owner,
            {
                "API_ID": str(API_ID),
                "API_HASH": API_HASH,
                "BOT_TOKEN": owner.token or "",
                "NATS_URL": nats.url,
                "USERBOT_SESSION": str(session),
                "USERBOT_TELEGRAM_SERVER": telegram.address,
                "USERBOT_TELEGRAM_KEY": str(key),
                "GENERATE_ENGINE": "echo",
                "GENERATE_SLOTS": "16",
                "TIMOKHA_TRACE_FILE": str(directory / "spans.jsonl"),
                **settings,
            },
        )
        try:
            yield made
        finally:
            await made.stop()


def _with_room(port: int, store: Path) -> str:
    """The server reserves what the streams may take, however small the disk of a test is."""
    return embedded(port, store).replace("sync_interval: always", "sync_interval: always\n  max_file_store: 8GB")


@pytest.fixture
async def make_product(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Product]]]:
    """`await make_product(GENERATE_ECHO_DELAY="1")`: started, and listening; `bot=True`: a bot account's."""
    opened = []

    async def make(*, bot: bool = False, clock: Clock | None = None, **settings: str) -> Product:
        context = product(tmp_path, bot=bot, clock=clock, **settings)
        opened.append(context)
        made = await context.__aenter__()
        await made.start()
        await made.ready()
        return made

    yield make
    for context in opened:
        await context.__aexit__(None, None, None)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=BOT_TOO)
async def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """One product for a whole module, a user's and a bot's: each test brings its own visitor."""
    async with product(tmp_path_factory.mktemp("product"), bot=request.param, GENERATE_ECHO_DELAY="0.4") as made:
        await made.start()
        await made.ready()
        yield made


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyrogram writes errors that Telegram does not have to a file in the working directory."""
    monkeypatch.chdir(tmp_path)
