"""`timokha sandbox`: the composition root of the sandbox Telegram alone."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import click

from cli.demo.terminal import REFRESH, converse, show_text
from cli.sandbox.chat import SandboxChat
from cli.sandbox.files import Files, claimed, reached_at
from cli.settings import SandboxSettings
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot.telegram.prompt import ask
from events.errors import SettingsError
from events.files import shown
from events.runtime.clock import SystemClock
from events.runtime.tasks import beside, together, unless
from observability.telemetry import Telemetry

OWNER_PHONE, VISITOR_PHONE = "+79990000001", "+79990000002"
LOGIN_CODE = "12345"
"""No secret: whoever reaches the port is on this machine."""
OTHER_IDS = 1_000_000_000
"""How many user ids there are to choose from."""


async def main(settings: SandboxSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, or a terminal's input ends."""
    await unless(stop, _serve(settings))


async def _serve(settings: SandboxSettings) -> None:
    async with _sandbox(settings) as telegram:
        owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
        visitor = telegram.add_user(first_name="Гость", username="guest", phone=VISITOR_PHONE)
        files = Files(settings.directory)
        files.write(telegram)
        if settings.signed_in:
            await _sign_in(telegram, files)
        telegram.state.code_sent = _tell_code
        _introduce(telegram, files)
        chat = SandboxChat(
            telegram, owner.id, visitor.id, show_text if sys.stdin.isatty() else click.echo, SystemClock()
        )
        if sys.stdin.isatty():
            await beside(converse(chat, None), _tell_connections(telegram, owner))
        else:
            await together(_read(chat), _keep_refreshing(chat), _tell_connections(telegram, owner))


@asynccontextmanager
async def _sandbox(settings: SandboxSettings) -> AsyncIterator[Sandbox]:
    """The server; its accounts are other ones than those of every other sandbox, whose messages NATS remembers."""
    async with AsyncExitStack() as stack:
        stack.callback(claimed(settings.directory).release)
        state = SandboxState(ids_moved=secrets.randbelow(OTHER_IDS), login_code=LOGIN_CODE)
        server = Sandbox(host=settings.host, port=settings.port, state=state, beyond_loopback=True)
        try:
            telegram = await stack.enter_async_context(server)
        except OSError as error:
            raise SettingsError(
                f"SANDBOX_HOST, SANDBOX_PORT: {settings.host}:{settings.port} can't be listened on"
                f" ({error.strerror or error}); choose another port, or 0 for a free one"
            ) from None
        yield telegram


async def _sign_in(telegram: Sandbox, files: Files) -> None:
    """Leave a session of the account; it is there once it is signed in."""
    os.umask(0o077)
    await signed_in_session(telegram, OWNER_PHONE, session=files.unfinished)
    files.unfinished.replace(files.session)


def _introduce(telegram: Sandbox, files: Files) -> None:
    _say("a Telegram on this machine alone")
    rows = {
        "address": reached_at(telegram),
        "public key": shown(files.key),
        "api_id": API_ID,
        "api_hash": API_HASH,
        "phone number": OWNER_PHONE,
        "login code": LOGIN_CODE,
    }
    for name, value in rows.items():
        click.echo(f"  {name:12}  {value}", err=True)
    _say(f"the userbot's settings for it are in {shown(files.settings)}")
    _say(f"what you type here is written to that account by {VISITOR_PHONE}")


async def _read(chat: SandboxChat) -> None:
    """Send each line of an input that is no terminal, once somebody is there to hear it."""
    await chat.telegram.wait_for(lambda: chat.telegram.sessions(chat.owner), timeout=None)
    while True:
        try:
            line = await ask()
        except EOFError:
            return
        if line.strip():
            await chat.say(line)


async def _keep_refreshing(chat: SandboxChat) -> None:
    while True:
        await chat.refresh()
        await chat.clock.sleep(REFRESH)


async def _tell_connections(telegram: Sandbox, owner: Account) -> None:
    there = False
    while True:
        await telegram.wait_for(lambda was=there: bool(telegram.sessions(owner.id)) != was, timeout=None)  # type: ignore[misc]
        there = not there
        _say("the userbot is connected" if there else "the userbot is not connected any more")


def _tell_code(phone: str, code: str) -> None:
    other = "" if f"+{phone}" == OWNER_PHONE else f"; what you type here goes to {OWNER_PHONE}"
    _say(f"the login code for +{phone} is {code}{other}")


def _say(line: str) -> None:
    """What is not the chat goes to stderr."""
    click.echo(f"timokha: {line}", err=True)
