"""How a client's connection comes back: with a growing pause, told to whoever must catch up, and never given up.

pyrogram 2.0.106 tries again at once when a connection is taken and then cut, lets calls that were under way wait for
their time-out, tells nobody that updates were missed, and ends silently on an error that it does not expect.
"""

import asyncio
import random
import time
from collections.abc import Callable
from functools import wraps

import structlog
from pyrogram import Client
from pyrogram.connection import Connection
from pyrogram.errors import AuthKeyDuplicated, Unauthorized

FIRST_PAUSE = 0.2
MAX_PAUSE = 15.0
STEADY = 5.0
"""Seconds after which a connection has proved itself. The pauses are in seconds as well."""

log = structlog.get_logger(__name__)


class Backoff:
    """The pause before the next attempt: none at first, then doubling with jitter, until an attempt lasted."""

    def __init__(self) -> None:
        self._failures = 0
        self._attempted_at = time.monotonic()

    def pause(self) -> float:
        if time.monotonic() - self._attempted_at > STEADY:
            self._failures = 0
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0**self._failures) if self._failures else 0.0
        self._failures = min(self._failures + 1, 16)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def attempted(self) -> None:
        self._attempted_at = time.monotonic()


def pace_connections() -> None:
    """Every connection that pyrogram makes in this process waits for its turn."""
    backoff = Backoff()
    connect = getattr(Connection.connect, "__wrapped__", Connection.connect)

    @wraps(connect)
    async def connect_in_turn(self: Connection) -> None:
        await asyncio.sleep(backoff.pause())
        try:
            await connect(self)
        finally:
            backoff.attempted()

    Connection.connect = connect_in_turn  # type: ignore[method-assign]


def watch(client: Client, *, reconnected: Callable[[], None], revoked: asyncio.Event) -> None:
    """Of a started client: call `reconnected` whenever its connection has come back."""
    session = client.session
    restart = session.restart

    async def restart_and_tell() -> None:
        log.warning("telegram.disconnected")
        for result in list(session.results.values()):
            # Its answer can't come any more.
            result.event.set()
        while not await _restarted():  # noqa: ASYNC110 - nothing tells when it may work again
            await asyncio.sleep(MAX_PAUSE)
        log.info("telegram.reconnected")
        reconnected()

    async def _restarted() -> bool:
        try:
            await restart()  # type: ignore[no-untyped-call]
        except (AuthKeyDuplicated, Unauthorized) as error:
            log.error("telegram.session_revoked", reason=error.ID)
            revoked.set()
        except Exception as error:  # noqa: BLE001 - an edge without a connection must not look alive
            log.error("telegram.reconnect_failed", error=type(error).__name__)
            return False
        return True

    session.restart = restart_and_tell  # type: ignore[method-assign]
