"""Find the peers of chats, and chats by name."""

import asyncio
import re
from datetime import timedelta
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import RPCError

from edge.userbot.chat_tokens import ChatToken, is_chat_token, is_group
from edge.userbot.driving.messenger import Undeliverable
from edge.userbot.telegram import chat_history
from edge.userbot.telegram.api import TelegramApi
from edge.userbot.telegram.faults import classify
from edge.userbot.telegram.incoming import chat_token
from events.faults import Fault

MAX_DIALOG_PAGES = 20
"""Pages of dialogs that are searched for a chat that the session does not know."""
SEARCH_AGAIN = timedelta(minutes=5)
"""How long a chat that the dialogs did not show is not searched for again."""

_USERNAME = re.compile(r"@?([A-Za-z][A-Za-z0-9_]{1,31})")


class Peers:
    """The chats that a started client can address."""

    def __init__(self, client: Client, api: TelegramApi) -> None:
        self._client = client
        self._api = api
        self._looking_up = asyncio.Lock()
        self._searched_in_vain: dict[str, float] = {}
        """When, by chat."""

    def on_reconnected(self) -> None:
        """Search again for every chat: what would have shown it may have come while there was no connection."""
        self._searched_in_vain = {}

    async def peer(self, chat: str) -> Any:
        """Return a chat's peer. Search the dialogs if the session does not know it (session string, killed process).

        Raises MessengerError (FloodWaited, UnknownAnswer) or Undeliverable.
        """
        chat = ChatToken.parse(chat).without_topic
        if peer := await self._resolve(chat):
            return peer
        if self._api.is_bot and not is_group(chat):
            # For a bot, Telegram needs no access hash.
            return raw.types.InputPeerUser(user_id=int(chat), access_hash=0)
        async with self._looking_up:
            if self._may_search(chat):
                # A search that a new connection interrupts does not count.
                in_vain = self._searched_in_vain
                if peer := await self._found_in_dialogs(chat):
                    return peer
                in_vain[chat] = asyncio.get_running_loop().time()
        raise Undeliverable(f"chat {chat} is not known to this session; use a session file")

    def _may_search(self, chat: str) -> bool:
        searched_at = self._searched_in_vain.get(chat)
        now = asyncio.get_running_loop().time()
        return searched_at is None or now - searched_at >= SEARCH_AGAIN.total_seconds()

    async def find_chat(self, name: str) -> str | None:
        """Return the chat of a username or an id, None if there is none or the session can't address it.

        Raises MessengerError (FloodWaited, UnknownAnswer).
        """
        try:
            if is_chat_token(name):
                await self.peer(name)
                return name
            username = _USERNAME.fullmatch(name)
            return await self._named(username[1]) if username else None
        except Undeliverable:
            return None

    async def _named(self, username: str) -> str | None:
        found = await self._api.invoke(raw.functions.contacts.ResolveUsername(username=username))
        await self._api.save_peers()
        token = chat_token(getattr(found, "peer", None))
        return str(token) if token else None

    async def _resolve(self, chat: str) -> Any:
        """Return the peer of a chat, None if the session does not know it."""
        try:
            return await self._client.resolve_peer(int(chat))
        except (KeyError, ValueError):
            return None
        except Exception as error:  # noqa: BLE001 - every error is classified
            if isinstance(error, RPCError) and classify(error) is Fault.FINAL:
                return None
            raise self._api.translate(error) from None

    async def _found_in_dialogs(self, chat: str) -> Any:
        """Search the dialogs for a chat. The client remembers all peers that it sees."""
        if peer := await self._resolve(chat):
            return peer
        read = 0
        async for page in chat_history.dialog_pages(self._api):
            read += 1
            is_shown = is_group(chat) or any(str(user.id) == chat for user in page.users)
            if is_shown and (peer := await self._resolve(chat)):
                await self._api.save_peers()
                return peer
            if read == MAX_DIALOG_PAGES:
                break
        return None
