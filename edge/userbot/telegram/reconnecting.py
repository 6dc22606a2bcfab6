"""Report that a client's connection has come back, or that it never will."""

import asyncio
from collections.abc import Callable

import structlog
from pyrogram import Client

from edge.userbot.telegram.faults import name

log = structlog.get_logger(__name__)


def watch(client: Client, *, reconnected: Callable[[], None], revoked: asyncio.Event) -> None:
    """Call `reconnected` whenever the started client's connection has come back; set `revoked` if it never will.

    pyrogram reports neither: updates are missed, or the client is dead, without a word.
    """
    session = client.session
    restart = session.restart

    async def restart_and_tell() -> None:
        log.warning("telegram.disconnected")
        try:
            await restart()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - an edge without a connection must not look alive
            log.error("telegram.session_revoked", reason=name(error))
            revoked.set()
        else:
            log.info("telegram.reconnected")
            reconnected()

    session.restart = restart_and_tell  # type: ignore[method-assign]


def trouble(client: Client) -> str:
    """Return what keeps the started client from being used now, empty if nothing."""
    return "" if client.session.is_started.is_set() else "Telegram is away"
