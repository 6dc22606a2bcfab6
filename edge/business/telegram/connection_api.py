"""Telegram's API as a connected person: every call goes through the person's business connection."""

from typing import Any

from pyrogram import Client, raw

from edge.business.connections import Connections
from edge.userbot.telegram.api import CallRefused, TelegramApi

functions: Any = raw.functions

NOT_CONNECTED = "NOT_CONNECTED"
NO_RIGHT = "NO_RIGHT_TO_REPLY"
"""Our own names: Telegram is not asked."""


class ConnectionApi:
    """Has the part of `TelegramApi` that a messenger needs, but through the connection of `person`."""

    is_bot = True
    shows_chats = False

    def __init__(self, client: Client, api: TelegramApi, connections: Connections, person: str) -> None:
        self._client = client
        self._api = api
        self._connections = connections
        self.account = person

    async def invoke(self, query: Any) -> Any:
        """Make a call once, as `TelegramApi.invoke` does. Raises CallRefused if the person's connection is over."""
        kept = self._connections.of(self.account)
        if kept is None or not kept.answers:
            raise CallRefused(NOT_CONNECTED)
        if not kept.may_reply:
            raise CallRefused(NO_RIGHT)
        return await self._api.invoke(query, connection=kept.connection_id)

    async def invoke_quietly(self, query: Any) -> str | None:
        """Make a call whose failure does not matter, once. Return the error's name, None if it succeeded."""
        kept = self._connections.of(self.account)
        if kept is None or not kept.may_send:
            return NOT_CONNECTED
        return await self._api.invoke_quietly(query, connection=kept.connection_id)
