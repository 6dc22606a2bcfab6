"""Use the sandbox with unmodified pyrogram: make signed-in sessions, and connect clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pyrogram import Client
from pyrogram.errors import SessionPasswordNeeded
from pyrogram.handlers.handler import Handler

from edge.sandbox.server import Sandbox
from edge.userbot.telegram.client_differences import client_options
from edge.userbot.telegram.quick_storage import quicken_storage
from edge.userbot.telegram.server import use_server

API_ID, API_HASH = 1, "sandbox"


async def signed_in_session(telegram: Sandbox, phone: str, *, session: Path | None = None) -> str:
    """Sign in the existing user with `phone`, by code, and return the session string.

    With `session`, a path that ends in `.session`, the session is also stored in that file.
    From then on pyrogram connects to `telegram` in this whole process.
    """
    client = await _signed_in(telegram, phone, session)
    try:
        return str(await client.export_session_string())
    finally:
        await client.disconnect()


@asynccontextmanager
async def connect(telegram: Sandbox, phone: str, *handlers: Handler) -> AsyncIterator[Client]:
    """Yield a started client of the user with `phone`; `handlers` are added before the first update arrives."""
    client = await _signed_in(telegram, phone, None)
    for handler in handlers:
        client.add_handler(handler)
    client.me = await client.get_me()
    await client.initialize()
    try:
        yield client
    finally:
        client.handle_updates = _ignore_updates  # type: ignore[method-assign]  # it would meet a session that is closed
        await client.stop()


async def _ignore_updates(_updates: Any) -> None:
    pass


async def _signed_in(telegram: Sandbox, phone: str, session: Path | None) -> Client:
    use_server(telegram.address, telegram.public_key_pem)
    quicken_storage()
    client = _client(phone, session)
    await client.connect()
    sent = await client.send_code(phone)
    try:
        await client.sign_in(phone, sent.phone_code_hash, telegram.login_code(phone))
    except SessionPasswordNeeded:
        await client.check_password(telegram.password(phone))
    return client


def _client(phone: str, session: Path | None) -> Client:
    options = client_options()
    if session is None:
        return Client(phone, API_ID, API_HASH, in_memory=True, **options)
    return Client(session.stem, API_ID, API_HASH, workdir=str(session.parent), **options)
