"""Sign in with a session file that only its owner can read, or a session string. Ask only in a terminal."""

import asyncio
import contextlib
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from pyrogram import Client
from pyrogram.errors import RPCError

from edge.userbot.settings import SESSION_SUFFIX, UserbotSettings
from edge.userbot.telegram import faults, session_file
from edge.userbot.telegram.api import SessionRevoked
from edge.userbot.telegram.client_differences import client_options
from edge.userbot.telegram.faults import name
from edge.userbot.telegram.server import use_server
from events.errors import SettingsError, TimokhaError, TransportUnreachable
from events.faults import Fault
from events.runtime.tasks import cancel, finish

STOP_TIMEOUT = timedelta(seconds=5)
"""To sign off if Telegram does not answer."""
WRONG_SETTINGS = {
    "ACCESS_TOKEN_EXPIRED": "BOT_TOKEN: Telegram has withdrawn it; ask @BotFather for another",
    "ACCESS_TOKEN_INVALID": "BOT_TOKEN: Telegram does not know it; copy it again from @BotFather",
    "API_ID_INVALID": "API_ID, API_HASH: Telegram does not know this pair; copy both again from https://my.telegram.org",
    "API_ID_PUBLISHED_FLOOD": "API_ID: Telegram does not accept it from everybody; get your own at https://my.telegram.org",
    "CONNECTION_API_ID_INVALID": "API_ID: Telegram does not know it; copy it again from https://my.telegram.org",
    "PHONE_NUMBER_BANNED": "Telegram has banned this phone number; sign in with another",
    "PHONE_NUMBER_INVALID": "Telegram takes this for no phone number; start again with the country's code, +…",
}

KEY_UNKNOWN = "Public key not found"
"""pyrogram's words."""

log = structlog.get_logger(__name__)


def make_client(settings: UserbotSettings) -> Client:
    """Return a client that is not started yet. Call `repair` before. Raises SettingsError or SessionInUse."""
    choose_server(settings)
    common = _common(settings)
    token = common["bot_token"] or ""
    path = settings.session_file
    if path is None:
        session_file.check_account(session_file.check_string(settings.session_text), token)
        return Client("timokha", session_string=settings.session_text, in_memory=True, **common)
    account = session_file.account_of(path)
    session_file.check_account(account, token)
    if account is None:
        _require_terminal(path, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file gives access to the account: at no time may others read it.
    os.umask(0o077)
    if path.exists():
        path.chmod(0o600)
        session_file.adopt(path)
    return Client(path.name.removesuffix(SESSION_SUFFIX), workdir=str(path.parent), **common)


def make_client_in_memory(settings: UserbotSettings) -> Client:
    """Return a bot's client that is not started yet and stores nothing. Call `repair` before. Raises SettingsError."""
    choose_server(settings)
    return Client("timokha", in_memory=True, **_common(settings))


def _common(settings: UserbotSettings) -> dict[str, Any]:
    return {
        "api_id": settings.api_id,
        "api_hash": settings.api_hash.get_secret_value(),
        "bot_token": (settings.bot_token.get_secret_value() if settings.bot_token else "") or None,
        "hide_password": True,
        **client_options(),
    }


@asynccontextmanager
async def started_client(client: Client) -> AsyncIterator[str]:
    """Start the client, yield the account's id, and finally stop it. Raises SessionRevoked or another TimokhaError."""
    try:
        try:
            await client.start()
        except Exception as error:
            log.debug("telegram.not_signed_in", exc_info=True)
            raise _translated_start_error(error) from None
        assert client.me
        yield str(client.me.id)
    finally:
        await finish(STOP_TIMEOUT, _stop(client))


async def _stop(client: Client) -> None:
    """Stop the client, also if it was only partly started."""
    session = getattr(client, "session", None)
    await cancel(getattr(session, "restarting", None))
    with contextlib.suppress(Exception):
        if client.is_initialized:
            await client.terminate()
    client.is_initialized = False
    with contextlib.suppress(Exception):
        if client.is_connected:
            await client.disconnect()
        elif session:
            await session.stop()
    with contextlib.suppress(Exception):
        await client.storage.close()


def _translated_start_error(error: Exception) -> TimokhaError:
    """Return our own error, in one line, for one that kept the client from starting."""
    reason = faults.name(error)
    if isinstance(error, sqlite3.Error):
        return session_file.explain_error(error, "file")
    if wrong := _wrong_setting(error):
        return SettingsError(wrong)
    if faults.classify(error) is Fault.FATAL:
        return SessionRevoked(
            f"Telegram does not accept the session ({reason}): delete the session file, or set another"
            " USERBOT_SESSION, and sign in again"
        )
    if wait := faults.flood_wait(error):
        return TransportUnreachable(f"Telegram: signing in has to wait {wait.total_seconds():.0f} s ({reason})")
    said = reason if isinstance(error, RPCError) else str(error) or reason
    if isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, faults.TransportRefused):
        return TransportUnreachable(
            f"Telegram could not be reached ({said}); is this machine's network up? If USERBOT_TELEGRAM_SERVER is set,"
            " start what it names or correct it"
        )
    return TransportUnreachable(f"Telegram: signing in failed ({said}); try again in a while")


def _wrong_setting(error: Exception) -> str | None:
    if isinstance(error, EOFError):
        return "signing in needs a terminal: run `timokha userbot` in one once"
    if faults.is_wrong_centre(error):
        return f"USERBOT_SESSION: {error}; sign in again with {session_file.sign_in_command()}"
    if str(error) == KEY_UNKNOWN:
        return (
            "USERBOT_TELEGRAM_KEY: the server at USERBOT_TELEGRAM_SERVER has another key; name the file with that one"
        )
    return WRONG_SETTINGS.get(faults.name(error))


def choose_server(settings: UserbotSettings) -> None:
    """Make this process use the server that `settings` name, if any. Raises SettingsError."""
    server, key = settings.telegram_server, settings.telegram_key
    if not server and not key:
        return
    if not (server and key):
        raise SettingsError("USERBOT_TELEGRAM_SERVER and USERBOT_TELEGRAM_KEY go together: set both or none")
    try:
        pem = key.read_text()
    except (OSError, ValueError) as error:
        raise SettingsError(f"USERBOT_TELEGRAM_KEY: {key} can't be read ({error}); it takes a PEM file") from None
    use_server(server, pem)


def _require_terminal(path: Path, settings: UserbotSettings) -> None:
    if settings.bot_token or sys.stdin.isatty():
        return
    raise SettingsError(
        f"USERBOT_SESSION: there is no session at {path} and no terminal to sign in;"
        f" run {session_file.sign_in_command()} once, or set a session string"
    )


def report_reconnects(client: Client, *, reconnected: Callable[[], None], revoked: asyncio.Event) -> None:
    """Call `reconnected` whenever the started client has reconnected; set `revoked` if it never will.

    pyrogram reports neither: updates would be missed, or the client would be dead, without a sign.
    """
    session = client.session
    restart = session.restart

    async def restart_and_report() -> None:
        log.warning("telegram.disconnected")
        try:
            await restart()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - a userbot without a connection must not look alive
            log.error("telegram.session_revoked", reason=name(error))
            revoked.set()
        else:
            log.info("telegram.reconnected")
            reconnected()

    session.restart = restart_and_report  # type: ignore[method-assign]


def connection_problem(client: Client) -> str:
    """Return why the started client can't be used now, empty if it can."""
    return "" if client.session.is_started.is_set() else "Telegram is away"


async def until_revoked(revoked: asyncio.Event) -> None:
    """Wait until Telegram has ended the session, and raise SessionRevoked."""
    await revoked.wait()
    raise SessionRevoked(f"Telegram has ended the session; sign in again with {session_file.sign_in_command()}")
