"""Take presses of the buttons below a bot's messages, and tell the person's app that the press has arrived.

Telegram sends a press once, to a bot that is online. One that gets no answer fails in the person's app after some
seconds, and can be repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pyrogram import raw

from edge.userbot.chat.incoming import Press
from edge.userbot.telegram.api import TelegramApi

MAX_WAITING = 100
"""Presses; further ones get no answer."""


class Presses:
    """Hands on presses, one after the other, once `run` does. `receive` returns once a press is stored."""

    def __init__(self, api: TelegramApi, receive: Callable[[Press], Awaitable[object]]) -> None:
        self._api = api
        self._receive = receive
        self._waiting: asyncio.Queue[Any] = asyncio.Queue(MAX_WAITING)

    def put(self, update: Any) -> None:
        """Queue an `UpdateBotCallbackQuery`; one that is not from a private chat is left out."""
        if isinstance(update.peer, raw.types.PeerUser) and not self._waiting.full():
            self._waiting.put_nowait(update)

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            update = await self._waiting.get()
            data = (update.data or b"").decode(errors="replace")
            await self._receive(Press(str(update.peer.user_id), update.msg_id, data))
            answer = raw.functions.messages.SetBotCallbackAnswer(query_id=update.query_id, cache_time=0)
            await self._api.invoke_quietly(answer)
