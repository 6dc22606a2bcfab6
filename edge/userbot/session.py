"""Signing in: a session file only its owner can read, or a session string; questions only in a terminal."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pyrogram import Client
from pyrogram.errors import RPCError, Unauthorized

from edge.pyrogram_server import use_server
from edge.userbot.settings import SESSION_SUFFIX, UserbotSettings
from edge.userbot.telegram.calls import SessionRevoked
from events.errors import SettingsError, TransportUnreachable

STOP_TIMEOUT = 5
"""Seconds that signing off may take where Telegram does not answer."""


def make_client(settings: UserbotSettings) -> Client:
    """A client that is not started yet. Raises SettingsError."""
    _choose_server(settings)
    common: dict[str, Any] = {
        "api_id": settings.api_id,
        "api_hash": settings.api_hash.get_secret_value(),
        "bot_token": settings.bot_token.get_secret_value() if settings.bot_token else None,
        "hide_password": True,
    }
    path = settings.session_file
    if path is None:
        return Client("timokha", session_string=settings.session.get_secret_value(), in_memory=True, **common)
    _require_terminal(path, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file is the key to the account: nobody else may read it, not for a moment.
    os.umask(0o077)
    if path.exists():
        path.chmod(0o600)
    return Client(path.name.removesuffix(SESSION_SUFFIX), workdir=str(path.parent), **common)


@asynccontextmanager
async def started(client: Client) -> AsyncIterator[str]:
    """The account's id, while the client is connected. Raises SessionRevoked or TransportUnreachable."""
    try:
        await client.start()
    except Unauthorized as error:
        raise SessionRevoked(
            f"Telegram does not accept the session ({error.ID}): delete the session file, or set another"
            " USERBOT_SESSION, and sign in again"
        ) from None
    except EOFError:
        raise SettingsError("signing in needs a terminal: run `timokha userbot` in one once") from None
    except (RPCError, OSError, TimeoutError, ConnectionError) as error:
        raise TransportUnreachable(f"Telegram: signing in failed ({error or type(error).__name__})") from None
    try:
        assert client.me
        yield str(client.me.id)
    finally:
        with contextlib.suppress(TimeoutError, OSError, RPCError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await client.stop()


def _choose_server(settings: UserbotSettings) -> None:
    server, key = settings.telegram_server, settings.telegram_key
    if not server and not key:
        return
    if not (server and key):
        raise SettingsError("USERBOT_TELEGRAM_SERVER and USERBOT_TELEGRAM_KEY go together: set both or none")
    try:
        pem = Path(key).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"USERBOT_TELEGRAM_KEY: {key!r} can't be read ({error}); it takes a PEM file") from None
    use_server(server, pem)


def _require_terminal(path: Path, settings: UserbotSettings) -> None:
    if path.exists() or settings.bot_token or sys.stdin.isatty():
        return
    raise SettingsError(
        f"USERBOT_SESSION: there is no session at {path} and no terminal to sign in;"
        " run `timokha userbot` in a terminal once, or set a session string"
    )
