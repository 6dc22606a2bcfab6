"""`timokha demo`: start the whole product on one machine, and chat with it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import click
from rich.console import Console

from cli.demo import business, twin
from cli.demo.business import ChatWithBusiness, add_bot, require_business
from cli.demo.chat import DemoChat
from cli.demo.environment import edge_environment, link_texts, owners_environment, twins_environment
from cli.demo.nats_server import EmbeddedServer
from cli.demo.owner import HOW, ChatWithOwner
from cli.demo.processes import CommandProcess, run_once, running
from cli.demo.runs import reserve_message_ids, without_messages
from cli.demo.terminal import converse, read_all, show_rendered, show_text
from cli.demo.traces import Traces
from cli.demo.twin import ChatWithTwin, refuse_business
from cli.settings import DemoSettings
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.visitor import API_HASH, API_ID, connect, signed_in_session
from edge.userbot.settings import UserbotSettings
from edge.userbot.storage.chats import Chats, open_chats
from edge.userbot.texts.installed import installed
from edge.userbot.texts.own import own_texts
from events import toml_file
from events.errors import SettingsError
from events.jetstream.connection import connect as connect_nats
from events.jetstream.topology import Topology
from events.runtime.clock import Clock, SystemClock
from events.runtime.leftovers import removing
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel, run_all
from events.settings import ProcessSettings
from functions.generate.settings import GenerateSettings
from observability.telemetry import Telemetry

TRACE_FILE = "traces.jsonl"
STOP_WITHIN = timedelta(seconds=6)
"""How long the processes may take to stop."""
NATS_ACCESS = [ProcessSettings.variable(name) for name in ProcessSettings.model_fields if name.startswith("nats_")]
OWNER_NAME = "timokha"
OWNER_PHONE, VISITOR_PHONE = "+79990000001", "+79990000002"


async def main(settings: DemoSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Chat until the input ends or `stop` is set."""
    if settings.business and settings.twin:
        refuse_business()
    if settings.business:
        require_business()
    clock = SystemClock()
    demo = asyncio.create_task(_demo(settings, clock))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({demo, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if demo.done():
            demo.result()
        else:
            _print_status("stopping")
    finally:
        await cancel(demo, stopping)


async def _demo(settings: DemoSettings, clock: Clock) -> None:
    with _directory(settings.directory) as directory:
        trace_file = settings.trace_file or directory / TRACE_FILE
        async with _running_product(directory, trace_file, clock, settings) as chat:
            show = show_rendered if sys.stdin.isatty() else Console(stderr=True).print
            await _talk(chat, Traces(trace_file, clock, show) if settings.trace else None)
            _print_status("stopping")


async def _talk(chat: DemoChat, traces: Traces | None) -> None:
    if sys.stdin.isatty():
        await converse(chat, traces)
        return
    # Read the whole input first, so that no child process can read a part of it.
    text, whole = await read_all()
    if not whole:
        _print_status("the input has bytes that are not UTF-8; they are shown as \N{REPLACEMENT CHARACTER}")
    for lines in chat.said_together(text.splitlines()):
        ids = [await chat.say(line) for line in lines]
        await chat.show_outcome(lines[-1], ids[-1])
        if traces and chat.is_question(lines[-1]):
            await traces.wait_for_new()


@asynccontextmanager
async def _running_product(
    directory: Path, trace_file: Path, clock: Clock, settings: DemoSettings
) -> AsyncIterator[DemoChat]:
    """Run everything within the block."""
    _print_status("starting NATS and the sandbox Telegram")
    async with (
        EmbeddedServer(directory / "nats") as nats,  # first, because it locks the directory against a second demo
        Sandbox(state=SandboxState(begins_after=reserve_message_ids(directory))) as telegram,
    ):
        owner = telegram.add_user(first_name="Тимоха", username=OWNER_NAME, phone=OWNER_PHONE)
        visitor = telegram.add_user(first_name="Гость", username="guest", phone=VISITOR_PHONE)
        bot = add_bot(telegram, owner) if settings.business else None
        session = directory / ("bot.session" if bot else "owner.session")
        # A session of an earlier demo belongs to a Telegram that no longer exists.
        session.unlink(missing_ok=True)
        await run_all(run_once("model"), *([] if bot else [signed_in_session(telegram, OWNER_PHONE, session=session)]))
        userbot = UserbotSettings.read(api_id=API_ID, api_hash=API_HASH)
        link_texts(directory)
        environment = {
            # Their working directory is `directory`, so paths in `.env` or the environment are made absolute.
            **GenerateSettings.read().variables_for_child(),
            **userbot.variables_for_child(),
            # All that `timokha.toml` sets is in these variables.
            toml_file.ELSEWHERE: "",
            # The demo's NATS has no users, whatever these settings say; and two processes can't share a health file.
            **dict.fromkeys([*NATS_ACCESS, UserbotSettings.variable("health_file")], ""),
            **edge_environment(telegram, session, directory, token=bot.token if bot else None),
            **(owners_environment() if settings.owner else {}),
            **(twins_environment() if settings.twin else {}),
            "NATS_URL": nats.url,
            "GENERATE_TRIGGER": "jetstream",
            "TIMOKHA_TRACE_FILE": str(trace_file),
            "GENERATE_GRACE": "1",  # answers that it finishes after the chat has ended are not shown
        }
        edge = "business" if bot else "userbot"
        processes = [CommandProcess(name, directory, environment) for name in ("generate", edge)]
        answering = "a bot for business connections" if bot else "the userbot"
        _print_status(f"starting {answering} and a generate function; their logs are in {directory}")
        async with _chats(nats.url, str(owner.id), clock) as chats, AsyncExitStack() as stack:
            stack.enter_context(installed(own_texts(userbot)))
            for account in (visitor, owner):
                await chats.change(str(account.id), without_messages)
            await stack.enter_async_context(running(*processes, within=STOP_WITHIN))
            client = await stack.enter_async_context(connect(telegram, VISITOR_PHONE))
            await client.resolve_peer(OWNER_NAME)
            await telegram.wait_for(lambda: telegram.sessions((bot or owner).id), timeout=60)
            yield _chat(
                settings,
                bot,
                telegram=telegram,
                client=client,
                owner=owner.id,
                visitor=visitor.id,
                chats=chats,
                prefix=userbot.prefix,
                names=set() if bot else {OWNER_NAME},
                show=show_text if sys.stdin.isatty() else click.echo,
                clock=clock,
            )


def _chat(settings: DemoSettings, bot: Account | None, **parts: Any) -> DemoChat:
    if bot:
        _print_status(business.HOW)
        chat = ChatWithBusiness(bot=bot.id, **parts)
        chat.connect()
        return chat
    if settings.owner or settings.twin:
        _print_status(HOW)
    if settings.twin:
        _print_status(twin.HOW)
    return (ChatWithTwin if settings.twin else ChatWithOwner if settings.owner else DemoChat)(**parts)


@asynccontextmanager
async def _chats(url: str, account: str, clock: Clock) -> AsyncIterator[Chats]:
    """Open the chat records, which may have content from earlier demos."""
    retrying = Retrying(clock, Random())  # noqa: S311 - jitter, not a secret
    async with connect_nats(url, name="demo") as js:
        await Topology(js, retrying=retrying).ensure_buckets()
        yield await open_chats(js, account, retrying=retrying)


@contextmanager
def _directory(chosen: Path | None) -> Iterator[Path]:
    if chosen:
        try:
            chosen.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"DEMO_DIRECTORY: {chosen} can't be used ({error.strerror}); name another") from None
        yield chosen
        return
    temporary = Path(tempfile.mkdtemp(prefix="timokha-demo-"))
    with removing(temporary):
        yield temporary


def _print_status(line: str) -> None:
    """Print a line that is not part of the chat, on stderr."""
    click.echo(f"timokha: {line}", err=True)
