"""Call Telegram's API and translate its errors into ours."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

import structlog
from pyrogram import Client

from edge.userbot.driving.messenger import FloodWaited, MessengerError, SlowModeWaited, Undeliverable, UnknownAnswer
from edge.userbot.telegram.faults import SLOW_MODE, classify, flood_wait, name
from events.errors import TimokhaError
from events.faults import Fault
from events.runtime.log_throttle import LogThrottle

TIMEOUT = 5
"""Seconds. Short, as a call whose connection was cut never gets an answer and has to be repeated."""
ONCE: dict[str, Any] = {"retries": 0, "timeout": TIMEOUT, "sleep_threshold": 0}
"""How a client makes a call: repeating it is left to us."""

Call = Callable[[Any], Awaitable[Any]]
"""Makes a call once. Raises the errors of `Client.invoke`."""

Take = Callable[[Any], None]
"""Takes the result of a call."""

log = structlog.get_logger(__name__)


def drop(_result: Any) -> None:
    """Take a result that does not matter."""


class SessionRevoked(TimokhaError):
    """Telegram has ended the session: the owner has to sign in again."""


class CallRefused(Undeliverable):
    """Telegram refused a call for good. `reason`: its name for the error."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Telegram refused a call: {reason}")
        self.reason = reason


class AlreadyDone(TimokhaError):
    """Telegram has already done what a call asks for."""


class CallsTelegram(Protocol):
    """The part of `TelegramApi` that a messenger needs."""

    @property
    def shows_chats(self) -> bool: ...

    @property
    def counts_deletions(self) -> bool: ...

    @property
    def is_bot(self) -> bool: ...

    @property
    def account(self) -> str: ...

    async def invoke(self, query: Any) -> Any: ...

    async def invoke_quietly(self, query: Any, *, take: Take = ...) -> str | None: ...


class TelegramApi:
    """Telegram's API for one client. `revoked` is set when Telegram has ended the session."""

    def __init__(self, client: Client, *, flood_waited: Callable[[timedelta], None]) -> None:
        self._client = client
        self._flood_waited = flood_waited
        self._log_throttle = LogThrottle()
        self.revoked: asyncio.Event = asyncio.Event()

    @property
    def shows_chats(self) -> bool:
        """Return whether messages of chats can be read, all or those of given ids."""
        return True

    @property
    def counts_deletions(self) -> bool:
        """Return whether the result of a deletion counts the changes of the client's own account."""
        return True

    @property
    def is_bot(self) -> bool:
        """Return whether the account is a bot. Telegram shows bots no dialogs and no histories."""
        return bool(getattr(self._client.me, "is_bot", False))

    @property
    def account(self) -> str:
        """Return the account's id, which is also the id of its own chat, Saved Messages."""
        return str(getattr(self._client.me, "id", ""))

    async def invoke(self, query: Any, *, call: Call | None = None) -> Any:
        """Make a call once and return its result. `call`: makes it in another way than the client does by itself.

        Raises MessengerError, FloodWaited or UnknownAnswer (try again), AlreadyDone, CallRefused, or SessionRevoked.
        """
        try:
            return await self._attempt(query, call)
        except Exception as error:  # noqa: BLE001 - every error is classified
            raise self.translate(error) from None

    async def save_peers(self) -> None:
        """Write the people and chats seen in results to disk now, so that they survive if the process is killed."""
        try:
            await self._client.storage.save()
        except Exception as error:  # noqa: BLE001 - the results must not be lost because of it
            if self._log_throttle.due(type(error).__name__):
                log.warning("telegram.peers_not_remembered", error=type(error).__name__)

    async def invoke_quietly(self, query: Any, *, call: Call | None = None, take: Take = drop) -> str | None:
        """Make a call whose failure does not matter, once. Return the error's name, None if it succeeded.

        `take` gets its result.
        """
        try:
            take(await self._attempt(query, call))
        except Exception as error:  # noqa: BLE001 - every error is classified
            if classify(error) is Fault.FATAL:
                self.translate(error)
            return name(error)
        return None

    def _waited(self, reason: str, wait: timedelta) -> FloodWaited:
        if reason == SLOW_MODE:
            return SlowModeWaited(wait)
        log.warning("telegram.flood_wait", seconds=wait.total_seconds())
        self._flood_waited(wait)
        return FloodWaited(wait)

    async def _attempt(self, query: Any, call: Call | None) -> Any:
        return await (call(query) if call else self._client.invoke(query, **ONCE))

    def translate(self, error: Exception) -> TimokhaError:
        """Return the error to raise instead of one of pyrogram's. Log a flood wait and a revoked session."""
        reason, wait = name(error), flood_wait(error)
        match classify(error):
            case Fault.PASSING if wait is not None:
                return self._waited(reason, wait)
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
