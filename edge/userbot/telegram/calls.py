"""Calls of Telegram's API, failing in our words."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from pyrogram import Client

from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.telegram.faults import classify, flood_wait, name
from events.errors import TimokhaError
from events.faults import Fault
from events.runtime.log_throttle import LogThrottle

TIMEOUT = 5
"""Seconds: a call whose connection was cut never gets its answer, so it must be made again soon."""

log = structlog.get_logger(__name__)


class SessionRevoked(TimokhaError):
    """Telegram has ended the session: there is no way on but to sign in again."""


class CallRefused(Undeliverable):
    """Telegram will never do what a call asked for. `reason` is its own name for why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Telegram refused a call: {reason}")
        self.reason = reason


class AlreadyDone(TimokhaError):
    """Telegram has done before what a call asked for."""


class Calls:
    """`revoked` is set when Telegram has ended the session."""

    def __init__(self, client: Client, *, flood_waited: Callable[[timedelta], None]) -> None:
        self._client = client
        self._flood_waited = flood_waited
        self._log_throttle = LogThrottle()
        self.revoked: asyncio.Event = asyncio.Event()

    @property
    def is_bot(self) -> bool:
        """Whether the account that is signed in is a bot: Telegram shows those no chats and no history."""
        return bool(getattr(self._client.me, "is_bot", False))

    async def invoke(self, query: Any) -> Any:
        """One attempt.

        Raises MessengerError, FloodWaited or UnknownAnswer (try again), AlreadyDone, Refused, or SessionRevoked.
        """
        try:
            return await self._attempt(query)
        except Exception as error:  # noqa: BLE001 - judged, whatever it is
            raise self.translate(error) from None

    async def remember_people(self) -> None:
        """Whom calls have shown, on disk at once: a killed process must know them when it starts again."""
        try:
            await self._client.storage.save()
        except Exception as error:  # noqa: BLE001 - whatever it is, what the calls brought must not go with it
            if self._log_throttle.due(type(error).__name__):
                log.warning("telegram.peers_not_remembered", error=type(error).__name__)

    async def invoke_quietly(self, query: Any) -> str | None:
        """One attempt at what does not matter: return why it failed, None if it did not."""
        try:
            await self._attempt(query)
        except Exception as error:  # noqa: BLE001 - judged like any other
            if classify(error) is Fault.FATAL:
                self.translate(error)
            return name(error)
        return None

    async def _attempt(self, query: Any) -> Any:
        return await self._client.invoke(query, retries=0, timeout=TIMEOUT, sleep_threshold=0)

    def translate(self, error: Exception) -> TimokhaError:
        """Return what to raise in place of an error of pyrogram's."""
        reason, wait = name(error), flood_wait(error)
        match classify(error):
            case Fault.PASSING if wait is not None:
                log.warning("telegram.flood_wait", seconds=wait.total_seconds())
                self._flood_waited(wait)
                return FloodWaited(wait)
            case Fault.PASSING:
                return MessengerError(f"Telegram did not answer or is out of order ({reason}); trying again")
            case Fault.DONE:
                return AlreadyDone(reason)
            case Fault.FINAL:
                return CallRefused(reason)
            case Fault.FATAL:
                if not self.revoked.is_set():
                    log.error("telegram.session_revoked", reason=reason)
                self.revoked.set()
                return SessionRevoked(f"Telegram has ended the session ({reason}); sign in again")
        log.debug("telegram.unknown_answer", exc_info=error)
        return UnknownAnswer(f"Telegram gave an answer that is not known ({reason}); trying again")
