"""A bot's client as the check uses it: calls that may be refused, and the updates that came."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pyrogram import Client, raw

from edge.business.telegram.centres import Centres
from edge.userbot.telegram.api import ONCE
from edge.userbot.telegram.faults import name

types: Any = raw.types
functions: Any = raw.functions


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call, or Telegram's name of the error."""

    result: Any = None
    refusal: str = ""

    @property
    def updates(self) -> list[Any]:
        return list(getattr(self.result, "updates", None) or ())


class CheckedBot:
    """Takes all updates of a client that is not started yet, and keeps those that matter in memory."""

    def __init__(self, client: Client, centres: Centres) -> None:
        self._client: Any = client
        self._centres = centres
        self.updates: list[Any] = []
        self._hashes: dict[int, int] = {}
        self._came = asyncio.Event()
        client.handle_updates = self._take  # type: ignore[method-assign]

    async def _take(self, updates: Any) -> None:
        self._hashes |= {user.id: user.access_hash or 0 for user in getattr(updates, "users", None) or ()}
        short = getattr(updates, "update", None)
        whole = [short] if short else getattr(updates, "updates", None) or ()
        self.updates += [update for update in whole if hasattr(update, "qts") or is_press(update) or is_written(update)]
        self._came.set()
        self._came = asyncio.Event()

    async def call(self, query: Any) -> Answer:
        """Make a call once."""
        return await _answer(self._client.invoke(query, **ONCE))

    async def call_through(self, connection_id: str, centre: int, query: Any) -> Answer:
        """Make a call once through a business connection, as the edge does."""
        wrapped = functions.InvokeWithBusinessConnection(connection_id=connection_id, query=query)
        return await _answer(self._centres.invoke(wrapped, centre))

    async def first(self, matches: Callable[[Any], bool], *, after: int = 0, within: timedelta) -> Any:
        """Return the first update that matches, leaving out `after` updates; None if none comes in time."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                while True:
                    came = self._came
                    for update in self.updates[after:]:
                        if matches(update):
                            return update
                    await came.wait()
        except TimeoutError:
            return None

    def peer(self, user_id: int) -> Any:
        """Return how calls name a user who came with an update."""
        return types.InputPeerUser(user_id=user_id, access_hash=self._hashes.get(user_id, 0))

    def has_hash(self, user_id: int) -> bool:
        """Return whether the user came with an access hash."""
        return bool(self._hashes.get(user_id))

    @property
    def counted(self) -> list[int]:
        """Return the qts of the updates so far."""
        return [update.qts for update in self.updates if hasattr(update, "qts")]


async def _answer(call: Awaitable[Any]) -> Answer:
    try:
        return Answer(await call)
    except Exception as error:  # noqa: BLE001 - what Telegram refuses is what is looked at
        return Answer(refusal=name(error))


def is_connection(update: Any) -> bool:
    return isinstance(update, types.UpdateBotBusinessConnect)


def is_press(update: Any) -> bool:
    return isinstance(update, types.UpdateBotCallbackQuery)


def is_written(update: Any) -> bool:
    """Return whether an update is about a message to the bot itself."""
    return isinstance(update, types.UpdateNewMessage)


def is_message(update: Any, text: str, *, out: bool) -> bool:
    """Return whether an update is about a new message with this text, written by the connected person or to them."""
    if not isinstance(update, types.UpdateBotNewBusinessMessage):
        return False
    return text in (update.message.message or "") and bool(update.message.out) is out
