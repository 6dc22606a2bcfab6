"""Show people what a bot is writing to them, where Telegram takes that.

Source: https://core.telegram.org/api/bots/ai#live-response-streaming.
"""

from typing import Any

import structlog
from pyrogram import raw

from edge.userbot.chat_tokens import is_group
from edge.userbot.driving.messenger import UnknownAnswer
from edge.userbot.formatting.styled_text import FormattedText
from edge.userbot.telegram import client_differences
from edge.userbot.telegram.api import AlreadyDone, CallRefused, CallsTelegram
from edge.userbot.telegram.entities import entities_of
from edge.userbot.telegram.faults import FORMATTING_REFUSED

log = structlog.get_logger(__name__)


class LiveDrafts:
    """The live drafts in one account's chats. A chat in which Telegram refuses one gets no other."""

    def __init__(self, api: CallsTelegram) -> None:
        self._api = api
        self._refused: set[str] = set()

    def are_taken(self, chat: str) -> bool:
        """Return whether a live draft can be shown: the client knows them, a bot shows it, to a person."""
        return (
            client_differences.HAS_LIVE_DRAFTS and self._api.is_bot and not is_group(chat) and chat not in self._refused
        )

    async def show(self, chat: str, peer: Any, random_id: int, message: FormattedText) -> bool:
        """Return whether the draft is shown. Raises MessengerError or FloodWaited."""
        action = client_differences.live_draft(random_id, message.text, entities_of(message) or [])
        try:
            await self._api.invoke(raw.functions.messages.SetTyping(peer=peer, action=action))
        except AlreadyDone:
            return True
        except (CallRefused, UnknownAnswer) as error:
            if message.entities and isinstance(error, CallRefused) and error.reason in FORMATTING_REFUSED:
                return await self.show(chat, peer, random_id, FormattedText(message.text))
            self._refused.add(chat)
            log.warning("telegram.live_draft_refused", chat=chat, error=str(error))
            return False
        return True
