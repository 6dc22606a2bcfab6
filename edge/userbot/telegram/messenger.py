"""Send and edit messages at a limited rate, and look for messages in chats."""

from collections.abc import Callable, Collection, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, Self

import structlog
from aiolimiter import AsyncLimiter
from pyrogram import Client, raw

from edge.userbot.chat_tokens import ChatToken, is_group
from edge.userbot.driving.messenger import Button, PeerFlooded, SlowModeWaited, Undeliverable, WritingForbidden
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram import chat_history, client_differences
from edge.userbot.telegram.api import AlreadyDone, CallRefused, CallsTelegram, Take, TelegramApi, drop
from edge.userbot.telegram.entities import entities_of
from edge.userbot.telegram.faults import FORMATTING_REFUSED, MESSAGE_GONE, PEER_FLOOD, REPLY_GONE, WRITING_FORBIDDEN
from edge.userbot.telegram.live_drafts import LiveDrafts
from edge.userbot.telegram.peers import Peers
from edge.userbot.telegram.slow_modes import SlowModes
from events.errors import TimokhaError

MESSAGES_SEARCHED = 50
"""Messages of a chat that are searched for one of ours."""
CHAT_BURST, CHAT_SECONDS = 5, 5
"""One message a second in a chat, five at once (https://core.telegram.org/bots/faq#broadcasting-to-users)."""
MAX_CHAT_LIMITERS = 4096
PREVIEW_RESERVE = 2
"""Messages that can still be sent to a chat at once after a preview."""

log = structlog.get_logger(__name__)


class TelegramMessenger:
    """Implements `edge.userbot.driving.messenger.Messenger` on a started client.

    `rate`: messages a second in all chats together; the same for looks into chats. `on_updates` gets the updates that
    a call returns. `slow_modes`: what is known of groups' slow modes. `peers`: those of the client.
    """

    def __init__(
        self,
        client: Client,
        api: TelegramApi,
        *,
        rate: float,
        on_updates: Callable[[Any], None],
        slow_modes: SlowModes | None = None,
        peers: Peers | None = None,
    ) -> None:
        self._slow_modes = slow_modes or SlowModes()
        self._api: CallsTelegram = api
        self._peers = peers or Peers(client, api)
        self._on_updates = on_updates
        self._send_limiter = AsyncLimiter(rate, 1)
        self._look_limiter = AsyncLimiter(rate, 1)
        self._live_drafts = LiveDrafts(api)
        self._chat_limiter = _chat_limiters()

    def through(self, api: CallsTelegram, peers: Peers) -> Self:
        """Return a messenger whose calls go through `api` to `peers`. It shares the limits for all chats together."""
        other = copy(self)
        other._api, other._peers, other._live_drafts = api, peers, LiveDrafts(api)
        other._chat_limiter = _chat_limiters()
        return other

    async def send(
        self,
        chat: str,
        message: FormattedText,
        *,
        reply_to: int | None,
        random_id: int,
        buttons: Sequence[Button] = (),
    ) -> int:
        entities = entities_of(message)
        query = raw.functions.messages.SendMessage(
            peer=await self._peer_when_paced(chat),
            message=message.text,
            entities=entities,
            random_id=random_id,
            no_webpage=True,
            reply_markup=_row(buttons if self._api.is_bot else ()),
            **client_differences.reply_fields(reply_to, ChatToken.parse(chat).topic),
        )
        try:
            updates = await self._api.invoke(query)
        except SlowModeWaited:
            self._slow_modes.note(chat)
            raise
        except AlreadyDone:
            return await self.find_own(chat, message.text, reply_to=reply_to) or 0
        except CallRefused as error:
            if reply_to and error.reason in REPLY_GONE:
                # The message that it replies to is gone: send it without.
                return await self.send(chat, message, reply_to=None, random_id=random_id, buttons=buttons)
            if message.entities and error.reason in FORMATTING_REFUSED:
                log.warning("telegram.formatting_refused", chat=chat, reason=error.reason)
                plain = FormattedText(message.text)
                return await self.send(chat, plain, reply_to=reply_to, random_id=random_id, buttons=buttons)
            raise _refusal(chat, error.reason)(f"Telegram refused a message to {chat}: {error.reason}") from None
        self._on_updates(updates)
        return _message_id(updates, random_id)

    async def edit(self, chat: str, message_id: int, message: FormattedText) -> None:
        peer = await self._peer_when_paced(chat)
        await self._edit(peer, message_id, message)

    async def preview(self, chat: str, message_id: int, message: FormattedText) -> bool:
        if not self._has_room_for_preview(chat):
            return False
        await self.edit(chat, message_id, message)
        return True

    def _has_room_for_preview(self, chat: str) -> bool:
        """Return whether half of the rate would be left for messages."""
        room = min(1 + self._send_limiter.max_rate / 2, self._send_limiter.max_rate)
        return self._chat_limiter(_paced_together(chat)).has_capacity(
            1 + PREVIEW_RESERVE
        ) and self._send_limiter.has_capacity(room)

    def is_slow(self, chat: str) -> bool:
        return self._slow_modes.apply_to(chat)

    def takes_live_drafts(self, chat: str) -> bool:
        return self._live_drafts.are_taken(chat)

    async def live_draft(self, chat: str, random_id: int, message: FormattedText) -> bool:
        if not (self.takes_live_drafts(chat) and self._has_room_for_preview(chat)):
            return False
        return await self._live_drafts.show(chat, await self._peer_when_paced(chat), random_id, message)

    async def _edit(self, peer: Any, message_id: int, message: FormattedText) -> None:
        query = raw.functions.messages.EditMessage(
            peer=peer, id=message_id, message=message.text, entities=entities_of(message), no_webpage=True
        )
        try:
            updates = await self._api.invoke(query)
        except AlreadyDone:
            return
        except CallRefused as error:
            if message.entities and error.reason in FORMATTING_REFUSED:
                log.warning("telegram.formatting_refused", message=message_id, reason=error.reason)
                await self._edit(peer, message_id, FormattedText(message.text))
                return
            raise Undeliverable(f"Telegram refused to edit message {message_id}: {error.reason}") from None
        self._on_updates(updates)

    async def delete(self, chat: str, message_id: int) -> None:
        peer = await self._peers.peer(chat)
        await self._look_limiter.acquire()
        try:
            deleted = await self._api.invoke(_deletion(peer, message_id))
        except AlreadyDone:
            return
        except CallRefused as error:
            if error.reason in MESSAGE_GONE:
                return
            raise Undeliverable(f"Telegram refused to delete message {message_id}: {error.reason}") from None
        if self._api.counts_deletions:
            self._on_updates(_change(peer, deleted, message_id))

    async def _peer_when_paced(self, chat: str) -> Any:
        """Return the chat's peer once the rate limits allow another message to it."""
        peer = await self._peers.peer(chat)
        await self._chat_limiter(_paced_together(chat)).acquire()
        await self._send_limiter.acquire()
        return peer

    async def find_own(self, chat: str, text: str, *, reply_to: int | None) -> int | None:
        if not self._api.shows_chats:
            return None
        await self._look_limiter.acquire()  # after a crash every chat is looked into
        try:
            peer, topic = await self._peers.peer(chat), ChatToken.parse(chat).topic
            if self._api.is_bot:
                found = await chat_history.messages_by_id(self._api, peer, chat, reply_to or 0)
            else:
                found = await chat_history.newest_messages(self._api, peer, limit=_searched(chat), topic=topic)
        except CallRefused as error:
            # Telegram still recognises a repeat by its random id.
            log.info("telegram.history_refused", chat=chat, reason=error.reason)
            return None
        return next(
            (int(message.id) for message in self._ours(chat, found) if chat_history.is_same(message, text, reply_to)),
            None,
        )

    async def has_outcome(self, chat: str, message_id: int, *, thinking: Collection[str] | None) -> bool:
        if not self._api.shows_chats:
            return True
        await self._look_limiter.acquire()
        try:
            peer, topic = await self._peers.peer(chat), ChatToken.parse(chat).topic
            if self._api.is_bot:
                found = await chat_history.messages_by_id(self._api, peer, chat, message_id)
            else:
                found = await chat_history.messages_after(
                    self._api, peer, message_id, limit=_searched(chat), topic=topic
                )
        except CallRefused as error:
            log.info("telegram.history_refused", chat=chat, reason=error.reason)
            return False
        return chat_history.has_outcome(self._ours(chat, found), message_id, thinking)

    def _ours(self, chat: str, messages: list[Any]) -> list[Any]:
        return chat_history.written_by_us(messages, own_chat=chat == self._api.account)

    async def find_chat(self, name: str) -> str | None:
        return await self._peers.find_chat(name)

    async def wrote_first(self, chat: str) -> bool | None:
        if is_group(chat) or chat == self._api.account:
            return None
        if not self._api.shows_chats:
            return None
        if self._api.is_bot:
            return True
        await self._look_limiter.acquire()
        try:
            oldest = await chat_history.oldest_message(self._api, await self._peers.peer(chat))
        except Undeliverable as error:
            log.info("telegram.history_refused", chat=chat, reason=str(error))
            return None
        return None if oldest is None else not oldest.out

    async def react(self, chat: str, message_id: int, emoji: str) -> None:
        failed = await self._call_quietly(
            chat,
            lambda peer: raw.functions.messages.SendReaction(
                peer=peer, msg_id=message_id, reaction=[raw.types.ReactionEmoji(emoticon=emoji)]
            ),
            take=self._on_updates,
        )
        if failed:
            log.info("telegram.reaction_failed", chat=chat, error=failed)

    async def typing(self, chat: str) -> None:
        action, topic = raw.types.SendMessageTypingAction(), ChatToken.parse(chat).topic or None
        failed = await self._call_quietly(
            chat, lambda peer: raw.functions.messages.SetTyping(peer=peer, action=action, top_msg_id=topic)
        )
        if failed:
            log.debug("telegram.typing_failed", chat=chat, error=failed)

    async def _call_quietly(self, chat: str, query: Callable[[Any], Any], *, take: Take = drop) -> str | None:
        """Make a call about a chat's peer that may fail. Return why it did. `take` gets its result."""
        try:
            peer = await self._peers.peer(chat)
        except TimokhaError as error:
            return type(error).__name__
        return await self._api.invoke_quietly(query(peer), take=take)


def _paced_together(chat: str) -> str:
    """Return the chat that a limit of Telegram's is for: a forum's topics share it."""
    return ChatToken.parse(chat).without_topic


def _searched(chat: str) -> int:
    """Return how many messages of a chat are searched for one of ours: in a group many people write."""
    return chat_history.PAGE if is_group(chat) else MESSAGES_SEARCHED


def _refusal(chat: str, reason: str) -> type[Undeliverable]:
    if reason == PEER_FLOOD:
        return PeerFlooded
    return WritingForbidden if is_group(chat) and reason in WRITING_FORBIDDEN else Undeliverable


def _chat_limiters() -> Callable[[str], AsyncLimiter]:
    """Return what has a limiter for each chat."""
    return lru_cache(maxsize=MAX_CHAT_LIMITERS)(lambda chat: AsyncLimiter(CHAT_BURST, CHAT_SECONDS))


def _row(buttons: Sequence[Button]) -> Any:
    """Return the markup of a row of buttons, None for none."""
    row = [(button.label, button.data.encode()) for button in buttons]
    return client_differences.callback_buttons(row) if row else None


def _deletion(peer: Any, message_id: int) -> Any:
    """Return the call that deletes a message for both sides."""
    if isinstance(peer, raw.types.InputPeerChannel):
        return raw.functions.channels.DeleteMessages(channel=chat_history.input_channel(peer), id=[message_id])
    return raw.functions.messages.DeleteMessages(id=[message_id], revoke=True)


def _change(peer: Any, affected: Any, message_id: int) -> Any:
    """Return the update about a deletion, which is sent to other sessions only: the account's changes count it.

    Those in a supergroup are counted by the group.
    """
    counted = {"messages": [message_id], "pts": affected.pts, "pts_count": affected.pts_count}
    if isinstance(peer, raw.types.InputPeerChannel):
        update: Any = raw.types.UpdateDeleteChannelMessages(channel_id=peer.channel_id, **counted)
    else:
        update = raw.types.UpdateDeleteMessages(**counted)
    return raw.types.UpdateShort(update=update, date=0)


def _message_id(updates: Any, random_id: int) -> int:
    if isinstance(updates, raw.types.UpdateShortSentMessage):
        return int(updates.id)
    for update in getattr(updates, "updates", []):
        if isinstance(update, raw.types.UpdateMessageID) and update.random_id == random_id:
            return int(update.id)
        if type(update).__name__ == "UpdateBotNewBusinessMessage":  # it comes instead through a connection
            return int(update.message.id)
    return 0
