"""`timokha sandbox`: serve a sandbox Telegram, and chat in it from the terminal."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import click

from cli.demo.terminal import REFRESH, converse, show_text
from cli.sandbox.chat import SandboxChat
from cli.sandbox.files import Files, claim_directory, reachable_address
from cli.settings import SandboxSettings
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot.telegram.terminal_input import read_line
from events.errors import SettingsError
from events.files import display_path
from events.runtime.clock import SystemClock
from events.runtime.tasks import run_all, run_with_helpers, until_stopped
from observability.telemetry import Telemetry

OWNER_PHONE, VISITOR_PHONE = "+79990000001", "+79990000002"
LOGIN_CODE = "12345"
"""Not a secret: only programs on this machine can reach the port."""
ID_OFFSETS = 1_000_000_000
"""The number of offsets for user ids to choose from."""


async def main(settings: SandboxSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Serve until `stop` is set or the terminal's input ends."""
    await until_stopped(stop, _serve(settings))


async def _serve(settings: SandboxSettings) -> None:
    async with _sandbox(settings) as telegram:
        owner = telegram.add_user(first_name="Тимоха", username="timokha", phone=OWNER_PHONE)
        visitor = telegram.add_user(first_name="Гость", username="guest", phone=VISITOR_PHONE)
        files = Files(settings.directory)
        files.write(telegram)
        if settings.signed_in:
            await _sign_in(telegram, files)
        telegram.state.code_sent = _print_login_code
        _print_access(telegram, files)
        chat = SandboxChat(
            telegram, owner.id, visitor.id, show_text if sys.stdin.isatty() else click.echo, SystemClock()
        )
        if sys.stdin.isatty():
            await run_with_helpers(converse(chat, None), _report_connections(telegram, owner))
        else:
            await run_all(_read(chat), _keep_refreshing(chat), _report_connections(telegram, owner))


@asynccontextmanager
async def _sandbox(settings: SandboxSettings) -> AsyncIterator[Sandbox]:
    """Run the server. Its user ids differ from those of earlier sandboxes, whose messages NATS remembers."""
    async with AsyncExitStack() as stack:
        stack.callback(claim_directory(settings.directory).release)
        state = SandboxState(ids_moved=secrets.randbelow(ID_OFFSETS), login_code=LOGIN_CODE)
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
    """Write a session file of the account; it appears only when it is signed in."""
    os.umask(0o077)
    await signed_in_session(telegram, OWNER_PHONE, session=files.new_session)
    files.new_session.replace(files.session)


def _print_access(telegram: Sandbox, files: Files) -> None:
    _print_status("a Telegram on this machine alone")
    rows = {
        "address": reachable_address(telegram),
        "public key": display_path(files.key),
        "api_id": API_ID,
        "api_hash": API_HASH,
        "phone number": OWNER_PHONE,
        "login code": LOGIN_CODE,
    }
    for name, value in rows.items():
        click.echo(f"  {name:12}  {value}", err=True)
    _print_status(f"the userbot's settings for it are in {display_path(files.settings)}")
    _print_status(f"what you type here is written to that account by {VISITOR_PHONE}")


async def _read(chat: SandboxChat) -> None:
    """Send each line of an input that is not a terminal, once the userbot is connected."""
    await chat.telegram.wait_for(lambda: chat.telegram.sessions(chat.owner), timeout=None)
    while True:
        try:
            line = await read_line()
        except EOFError:
            return
        if line.strip():
            await chat.say(line)


async def _keep_refreshing(chat: SandboxChat) -> None:
    while True:
        await chat.refresh()
        await chat.clock.sleep(REFRESH)


async def _report_connections(telegram: Sandbox, owner: Account) -> None:
    there = False
    while True:
        await telegram.wait_for(lambda was=there: bool(telegram.sessions(owner.id)) != was, timeout=None)  # type: ignore[misc]
        there = not there
        _print_status("the userbot is connected" if there else "the userbot is not connected any more")


def _print_login_code(phone: str, code: str) -> None:
    other = "" if f"+{phone}" == OWNER_PHONE else f"; what you type here goes to {OWNER_PHONE}"
    _print_status(f"the login code for +{phone} is {code}{other}")


def _print_status(line: str) -> None:
    """Print a line that is not part of the chat, on stderr."""
    click.echo(f"timokha: {line}", err=True)
