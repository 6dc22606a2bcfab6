"""Fetch the changes of one supergroup, which Telegram numbers apart from the account's.

Source: https://core.telegram.org/api/updates#recovering-gaps, https://core.telegram.org/method/updates.getChannelDifference.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from pyrogram import raw

from edge.userbot.chat.incoming import Message
from edge.userbot.driving.messenger import Undeliverable, UnknownAnswer
from edge.userbot.intake.account_updates import (
    Keyed,
    NotShown,
    StateLost,
    TooLong,
    UpdatesDifference,
    UpdatesState,
)
from edge.userbot.telegram import chat_history
from edge.userbot.telegram.api import CallRefused, TelegramApi
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates_source import STATE_REFUSED, counted

CHANGES = 100
"""Changes a call."""
FIRST_PTS = 1


class GroupUpdatesSource:
    """Implements `edge.userbot.intake.account_updates.UpdatesSource`. `peer`: returns the group's address.

    Every method raises NotShown if the account may not see the group's messages.
    """

    def __init__(
        self, api: TelegramApi, reader: UpdateReader, group: str, *, peer: Callable[[str], Awaitable[Any]]
    ) -> None:
        self._api = api
        self._reader = reader
        self._group = group
        self._peer = peer

    @property
    def can_read_back(self) -> bool:
        return not self._api.is_bot

    async def state(self) -> UpdatesState:
        channel = chat_history.input_channel(await self._address())
        try:
            found = await self._api.invoke(raw.functions.channels.GetFullChannel(channel=channel))
        except CallRefused as error:
            raise self._not_shown(error) from None
        return UpdatesState(pts=counted(found.full_chat.pts))

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        query = raw.functions.updates.GetChannelDifference(
            channel=chat_history.input_channel(await self._address()),
            filter=raw.types.ChannelMessagesFilterEmpty(),
            pts=max(FIRST_PTS, since.pts),
            limit=CHANGES,
        )
        try:
            found = await self._api.invoke(query)
        except CallRefused as error:
            if error.reason.startswith(STATE_REFUSED):
                raise StateLost(f"Telegram refused the state: {error.reason}") from None
            raise self._not_shown(error) from None
        await self._api.save_peers()
        match found:
            case raw.types.updates.ChannelDifferenceEmpty(pts=pts):
                return UpdatesDifference(since.at(counted(pts)), [], complete=True)
            case raw.types.updates.ChannelDifferenceTooLong(dialog=dialog):
                return TooLong(counted(getattr(dialog, "pts", None) or 0))
            case raw.types.updates.ChannelDifference(pts=pts, final=final):
                return UpdatesDifference(since.at(counted(pts)), self._contents(found), complete=bool(final))
        raise UnknownAnswer(f"Telegram gave {type(found).__name__} for a difference; trying again")

    async def recent(self, since: datetime) -> list[Message]:
        if not self.can_read_back:
            return []
        try:
            found, users = await chat_history.messages_since(self._api, await self._address(), since)
        except CallRefused as error:
            raise self._not_shown(error) from None
        await self._api.save_peers()
        return self._reader.messages(reversed(found), users)

    async def _address(self) -> Any:
        try:
            peer = await self._peer(self._group)
        except Undeliverable as error:
            raise self._not_shown(error) from None
        if not isinstance(peer, raw.types.InputPeerChannel):
            raise NotShown(f"{self._group} is no supergroup")
        return peer

    def _not_shown(self, error: Exception) -> NotShown:
        return NotShown(f"Telegram does not show the messages of {self._group}: {error}")

    def _contents(self, difference: Any) -> Sequence[Keyed]:
        """Return what a difference contains. Its new messages are as they are after its edits and deletions."""
        messages = self._reader.messages(difference.new_messages, difference.users)
        return [*messages, *self._reader.read_all(difference.other_updates, difference.users)]
