"""In which groups the account has to wait between two messages (https://core.telegram.org/api/channel#slow-mode)."""

from collections.abc import Iterable
from typing import Any

from pyrogram import raw

from edge.userbot.chat_tokens import ChatToken
from edge.userbot.telegram.incoming import chat_token


class SlowModes:
    """Learns it from what Telegram shows of groups, and from refusals. Administrators never wait."""

    def __init__(self) -> None:
        self._slow: set[str] = set()

    def learn_from_chats(self, chats: Iterable[Any]) -> None:
        """Take in how groups are now. A partial (`min`) one does not say who is an administrator."""
        for chat in chats:
            if isinstance(chat, raw.types.Channel) and not chat.min:
                is_slow = chat.slowmode_enabled and not (chat.creator or chat.admin_rights)
                token = str(chat_token(raw.types.PeerChannel(channel_id=chat.id)))
                (self._slow.add if is_slow else self._slow.discard)(token)

    def note(self, chat: str) -> None:
        """Take in that the account was asked to wait."""
        self._slow.add(ChatToken.parse(chat).without_topic)

    def apply_to(self, chat: str) -> bool:
        return ChatToken.parse(chat).without_topic in self._slow
