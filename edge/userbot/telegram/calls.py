"""Calls of Telegram's API, failing in our words."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from pyrogram import Client
from pyrogram.errors import AuthKeyDuplicated, RPCError, Unauthorized
from pyrogram.errors.exceptions import BadRequest, Flood, Forbidden

from edge.userbot.messenger import FloodWaited, MessengerError
from events.errors import TimokhaError

TIMEOUT = 5
"""Seconds: a call whose connection was cut never gets its answer, so it must be made again soon."""
UNTOLD_WAIT = timedelta(seconds=30)
"""For a flood error that names no time."""

log = structlog.get_logger(__name__)


class SessionRevoked(TimokhaError):
    """Telegram has ended the session."""


class Calls:
    """`revoked` is set when Telegram has ended the session: there is no way on but to sign in again."""

    def __init__(self, client: Client, *, flood_waited: Callable[[timedelta], None]) -> None:
        self._client = client
        self._flood_waited = flood_waited
        self.revoked: asyncio.Event = asyncio.Event()

    async def invoke(self, query: Any) -> Any:
        """One attempt. Raises MessengerError, FloodWaited, BadRequest, Forbidden, or RANDOM_ID_DUPLICATE's RPCError."""
        try:
            return await self._client.invoke(query, retries=0, timeout=TIMEOUT, sleep_threshold=0)
        except Flood as error:
            wait = flood_wait(error)
            log.warning("telegram.flood_wait", seconds=wait.total_seconds())
            self._flood_waited(wait)
            raise FloodWaited(wait) from None
        except (Unauthorized, AuthKeyDuplicated) as error:
            log.error("telegram.session_revoked", reason=code(error))
            self.revoked.set()
            raise MessengerError("Telegram has ended the session") from None
        except (BadRequest, Forbidden):
            raise
        except RPCError as error:
            if code(error) == ALREADY_SENT:
                raise AlreadySent from None
            raise MessengerError(f"Telegram is out of order ({code(error)}); trying again") from None
        except OSError as error:  # time-outs and closed connections among them
            raise MessengerError(f"Telegram did not answer ({type(error).__name__}); trying again") from None


ALREADY_SENT = "RANDOM_ID_DUPLICATE"


class AlreadySent(TimokhaError):
    """Telegram knows the random id."""


def code(error: RPCError) -> str:
    """Telegram's own name of an error, e.g. `PEER_FLOOD`."""
    return str(error.ID or error.value or error.MESSAGE or type(error).__name__)


def flood_wait(error: RPCError) -> timedelta:
    return timedelta(seconds=error.value) if isinstance(error.value, int) else UNTOLD_WAIT
