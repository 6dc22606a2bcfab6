"""Telegram through pyrogram: the only file of the userbot that imports it to talk."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from pyrogram import Client, raw
from pyrogram.errors import FloodWait, RPCError, Unauthorized
from pyrogram.errors.exceptions import BadRequest, Forbidden
from pyrogram.handlers import RawUpdateHandler

from edge.userbot.incoming import incoming
from edge.userbot.messenger import MessengerError, Undeliverable
from edge.userbot.receiving import Incoming
from events.errors import TimokhaError

HISTORY_LOOKED_THROUGH = 50
"""How many of the chat's newest messages a resumed delivery looks through for its own."""

ALREADY_SENT = "RANDOM_ID_DUPLICATE"

log = structlog.get_logger(__name__)


class SessionRevoked(TimokhaError):
    """Telegram has ended the session."""


class Telegram:
    """Implements `edge.userbot.messenger.Messenger` on a started client.

    `revoked` is set when Telegram has ended the session: there is no way on but to sign in again.
    """

    def __init__(self, client: Client, account: str, *, flood_waited: Callable[[timedelta], None]) -> None:
        self._client = client
        self._account = account
        self._flood_waited = flood_waited
        self._dialogs_loaded = False
        self.revoked: asyncio.Event = asyncio.Event()

    async def send(self, chat: str, text: str, *, reply_to: int | None, random_id: int) -> int:
        try:
            return await self._send(chat, text, reply_to, random_id)
        except BadRequest as error:
            if _code(error) == ALREADY_SENT:
                return await self.find_own(chat, text, reply_to=reply_to) or 0
            if reply_to and "MESSAGE_ID_INVALID" in _code(error).replace("MSG_ID", "MESSAGE_ID"):
                # What it replies to is gone: say it all the same.
                return await self.send(chat, text, reply_to=None, random_id=random_id)
            raise Undeliverable(f"Telegram refused a message to {chat}: {_code(error)}") from None
        except Forbidden as error:
            raise Undeliverable(f"Telegram refused a message to {chat}: {_code(error)}") from None

    async def _send(self, chat: str, text: str, reply_to: int | None, random_id: int) -> int:
        updates = await self._invoke(
            raw.functions.messages.SendMessage(
                peer=await self._peer(chat),
                message=text,
                reply_to_msg_id=reply_to,
                random_id=random_id,
                no_webpage=True,
            )
        )
        return _message_id(updates, random_id)

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        history = await self._invoke(
            raw.functions.messages.GetHistory(
                peer=await self._peer(chat),
                offset_id=0,
                offset_date=0,
                add_offset=0,
                limit=HISTORY_LOOKED_THROUGH,
                max_id=0,
                min_id=0,
                hash=0,
            )
        )
        for message in history.messages:
            if getattr(message, "out", False) and message.message == text and _reply_to(message) == reply_to:
                return int(message.id)
        return None

    async def typing(self, chat: str) -> None:
        action = raw.types.SendMessageTypingAction()
        try:
            await self._client.invoke(
                raw.functions.messages.SetTyping(peer=await self._peer(chat), action=action), retries=0, timeout=5
            )
        except (RPCError, OSError, TimeoutError, MessengerError, KeyError) as error:
            log.debug("telegram.typing_failed", chat=chat, error=type(error).__name__)

    async def _peer(self, chat: str) -> Any:
        """A session string remembers nobody: then the dialogs say who it is."""
        try:
            return await self._resolve(chat)
        except (KeyError, BadRequest):
            if self._dialogs_loaded:
                raise Undeliverable(f"chat {chat} is not known to this session; use a session file") from None
        dialogs = self._client.get_dialogs()
        assert dialogs
        async for _ in dialogs:
            pass
        self._dialogs_loaded = True
        return await self._peer(chat)

    async def _resolve(self, chat: str) -> Any:
        try:
            return await self._client.resolve_peer(int(chat))
        except (OSError, TimeoutError) as error:
            raise MessengerError(f"Telegram did not answer ({type(error).__name__}); trying again") from None

    async def _invoke(self, query: Any) -> Any:
        """Waits out flood waits. Raises MessengerError, BadRequest or Forbidden."""
        while True:
            try:
                return await self._client.invoke(query, sleep_threshold=0)
            except FloodWait as error:
                wait = timedelta(seconds=int(error.value))
                log.warning("telegram.flood_wait", seconds=wait.total_seconds())
                self._flood_waited(wait)
                await asyncio.sleep(wait.total_seconds())
            except (BadRequest, Forbidden):
                raise
            except Unauthorized:
                self.revoked.set()
                raise MessengerError("Telegram has ended the session") from None
            except (RPCError, OSError, TimeoutError) as error:
                raise MessengerError(f"Telegram did not answer ({type(error).__name__}); trying again") from None


class Listener:
    """Hands every new message on, in order, one at a time; before `listen` they wait."""

    def __init__(self, client: Client, *, groups: bool, bots: bool) -> None:
        self._groups = groups
        self._bots = bots
        self._receive: asyncio.Future[tuple[str, Callable[[Incoming], Awaitable[object]]]] = asyncio.Future()
        # Raw updates only: parsing costs requests to Telegram, and its faults cost messages.
        client.dispatcher.update_parsers.clear()
        client.add_handler(RawUpdateHandler(self._on_update))

    def listen(self, account: str, receive: Callable[[Incoming], Awaitable[object]]) -> None:
        self._receive.set_result((account, receive))

    async def _on_update(self, _: Client, update: Any, users: Mapping[int, Any], __: Any) -> None:
        if not isinstance(update, raw.types.UpdateNewMessage | raw.types.UpdateNewChannelMessage):
            return
        account, receive = await asyncio.shield(self._receive)
        message = incoming(account, update.message, users, groups=self._groups, bots=self._bots)
        if message:
            await receive(message)


def _code(error: RPCError) -> str:
    return str(error.ID or error.MESSAGE or type(error).__name__)


def _message_id(updates: Any, random_id: int) -> int:
    if isinstance(updates, raw.types.UpdateShortSentMessage):
        return int(updates.id)
    for update in updates.updates:
        if isinstance(update, raw.types.UpdateMessageID) and update.random_id == random_id:
            return int(update.id)
    return 0


def _reply_to(message: Any) -> int | None:
    return getattr(message.reply_to, "reply_to_msg_id", None)
