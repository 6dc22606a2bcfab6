"""A client's connection that comes back: told to whoever must catch up, and the session's end to whoever must end."""

import asyncio
from collections.abc import Callable

import structlog
from pyrogram import Client

from edge.userbot.telegram.faults import name

log = structlog.get_logger(__name__)


def watch(client: Client, *, reconnected: Callable[[], None], revoked: asyncio.Event) -> None:
    """Of a started client: call `reconnected` whenever its connection has come back.

    pyrogram tells nobody that updates were missed, and ends silently when a connection will never come back.
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
