"""Messages out: paced, each under its own random id, so that a repeat is recognised."""

import asyncio
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

import structlog
from aiolimiter import AsyncLimiter
from pyrogram import Client, raw
from pyrogram.errors import RPCError

from edge.userbot.driving.messenger import Undeliverable
from edge.userbot.formatting.styled_text import Entity, FormattedText, Style
from edge.userbot.telegram import chat_history
from edge.userbot.telegram.calls import AlreadyDone, CallRefused, Calls
from edge.userbot.telegram.faults import FORMATTING_REFUSED, REPLY_GONE, classify
from events.errors import TimokhaError
from events.faults import Fault

LOOKED_THROUGH = 50
"""How many of a chat's messages are searched for one of our own."""
DIALOG_PAGES = 20
"""Looked through for somebody whom the session does not know."""
CHAT_BURST, CHAT_SECONDS = 5, 5
"""One message a second in a chat, five at once (https://core.telegram.org/bots/faq#broadcasting-to-users)."""
CHATS_PACED = 4096
SPARED = 2
"""Messages that must still be able to go out in a chat at once after a preview."""

log = structlog.get_logger(__name__)


class Telegram:
    """Implements `edge.userbot.driving.messenger.Messenger` on a started client.

    `rate`: messages a second in all chats together, and looks into chats. `changed` is told what a send did to the
    account's state.
    """

    def __init__(self, client: Client, calls: Calls, *, rate: float, changed: Callable[[Any], None]) -> None:
        self._client = client
        self._calls = calls
        self._changed = changed
        self._overall = AsyncLimiter(rate, 1)
        self._looks = AsyncLimiter(rate, 1)
        self._looking_up = asyncio.Lock()
        self._strangers: set[str] = set()
        self._pace_of = lru_cache(maxsize=CHATS_PACED)(lambda chat: AsyncLimiter(CHAT_BURST, CHAT_SECONDS))

    async def send(self, chat: str, message: FormattedText, *, reply_to: int | None, random_id: int) -> int:
        entities = entities_of(message)
        query = raw.functions.messages.SendMessage(
            peer=await self._turn(chat),
            message=message.text,
            entities=entities,
            reply_to_msg_id=reply_to,
            random_id=random_id,
            no_webpage=True,
        )
        try:
            updates = await self._calls.invoke(query)
        except AlreadyDone:
            return await self.find_own(chat, message.text, reply_to=reply_to) or 0
        except CallRefused as error:
            if reply_to and error.reason in REPLY_GONE:
                # What it replies to is gone: say it all the same.
                return await self.send(chat, message, reply_to=None, random_id=random_id)
            if message.entities and error.reason in FORMATTING_REFUSED:
                log.warning("telegram.formatting_refused", chat=chat, reason=error.reason)
                return await self.send(chat, FormattedText(message.text), reply_to=reply_to, random_id=random_id)
            raise Undeliverable(f"Telegram refused a message to {chat}: {error.reason}") from None
        self._changed(updates)
        return _message_id(updates, random_id)

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        peer = await self._turn(chat)
        await self._edit(peer, message_id, message)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        # Half of the overall rate stays for messages.
        overall = min(1 + self._overall.max_rate / 2, self._overall.max_rate)
        if not (self._pace_of(chat).has_capacity(1 + SPARED) and self._overall.has_capacity(overall)):
            return False
        await self.edit(chat, message_id, message)
        return True

    async def _edit(self, peer: Any, message_id: int, message: FormattedText) -> None:
        query = raw.functions.messages.EditMessage(
            peer=peer, id=message_id, message=message.text, entities=entities_of(message), no_webpage=True
        )
        try:
            updates = await self._calls.invoke(query)
        except AlreadyDone:
            return
        except CallRefused as error:
            if message.entities and error.reason in FORMATTING_REFUSED:
                log.warning("telegram.formatting_refused", message=message_id, reason=error.reason)
                await self._edit(peer, message_id, FormattedText(message.text))
                return
            raise Undeliverable(f"Telegram refused to edit message {message_id}: {error.reason}") from None
        self._changed(updates)

    async def _turn(self, chat: str) -> Any:
        """The chat's peer, once the pace lets something go out to it."""
        peer = await self._peer(chat)
        await self._pace_of(chat).acquire()
        await self._overall.acquire()
        return peer

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        await self._looks.acquire()  # after a crash every chat wants to look
        try:
            if self._calls.is_bot:
                found = await chat_history.messages_by_id(self._calls, chat, reply_to or 0)
            else:
                found = await chat_history.newest_messages(self._calls, await self._peer(chat), limit=LOOKED_THROUGH)
        except CallRefused as error:
            # Then a repeat is recognised by its random id alone.
            log.info("telegram.history_refused", chat=chat, reason=error.reason)
            return None
        return next((int(message.id) for message in found if chat_history.is_ours(message, text, reply_to)), None)

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        await self._looks.acquire()
        try:
            if self._calls.is_bot:
                found = await chat_history.messages_by_id(self._calls, chat, message_id)
            else:
                found = await chat_history.messages_after(
                    self._calls, await self._peer(chat), message_id, limit=LOOKED_THROUGH
                )
        except CallRefused as error:
            log.info("telegram.history_refused", chat=chat, reason=error.reason)
            return False
        return chat_history.has_outcome(found, message_id, thinking)

    async def typing(self, chat: str) -> None:
        try:
            peer = await self._peer(chat)
        except TimokhaError as error:
            failed: str | None = type(error).__name__
        else:
            query = raw.functions.messages.SetTyping(peer=peer, action=raw.types.SendMessageTypingAction())
            failed = await self._calls.invoke_quietly(query)
        if failed:
            log.debug("telegram.typing_failed", chat=chat, error=failed)

    async def _peer(self, chat: str) -> Any:
        """A session string remembers nobody, and a killed process forgets: then the dialogs say who it is."""
        if peer := await self._resolve(chat):
            return peer
        if self._calls.is_bot and int(chat) > 0:
            # Telegram knows itself who has written to a bot.
            return raw.types.InputPeerUser(user_id=int(chat), access_hash=0)
        async with self._looking_up:
            if chat not in self._strangers and (peer := await self._found_in_dialogs(chat)):
                return peer
            self._strangers.add(chat)
        raise Undeliverable(f"chat {chat} is not known to this session; use a session file")

    async def _resolve(self, chat: str) -> Any:
        """None for somebody whom the session does not know."""
        try:
            return await self._client.resolve_peer(int(chat))
        except (KeyError, ValueError):
            return None
        except Exception as error:  # noqa: BLE001 - judged, whatever it is
            if isinstance(error, RPCError) and classify(error) is Fault.FINAL:
                return None
            raise self._calls.translate(error) from None

    async def _found_in_dialogs(self, chat: str) -> Any:
        """The client remembers everybody it is shown: whoever waited for another look may be known by now."""
        if peer := await self._resolve(chat):
            return peer
        read = 0
        async for page in chat_history.dialog_pages(self._calls):
            read += 1
            is_shown = int(chat) < 0 or any(user.id == int(chat) for user in page.users)
            if is_shown and (peer := await self._resolve(chat)):
                await self._calls.remember_people()
                return peer
            if read == DIALOG_PAGES:
                break
        return None


def _message_id(updates: Any, random_id: int) -> int:
    if isinstance(updates, raw.types.UpdateShortSentMessage):
        return int(updates.id)
    for update in getattr(updates, "updates", []):
        if isinstance(update, raw.types.UpdateMessageID) and update.random_id == random_id:
            return int(update.id)
    return 0


_TYPES: dict[Style, Any] = {
    "bold": raw.types.MessageEntityBold,
    "italic": raw.types.MessageEntityItalic,
    "strike": raw.types.MessageEntityStrike,
    "code": raw.types.MessageEntityCode,
}


def entities_of(message: FormattedText) -> list[Any] | None:
    """None for a plain text: pyrogram writes an empty list in a way that can't be read."""
    return [_entity(entity) for entity in message.entities] or None


def _entity(entity: Entity) -> Any:
    if entity.style == "pre":
        return raw.types.MessageEntityPre(offset=entity.offset, length=entity.length, language=entity.language)
    return _TYPES[entity.style](offset=entity.offset, length=entity.length)
