"""Fetch the account's changes and recent messages from Telegram."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import accumulate
from operator import itemgetter
from typing import Any

import structlog
from pyrogram import raw

from edge.userbot.chat.incoming import Message
from edge.userbot.driving.messenger import UnknownAnswer
from edge.userbot.intake.account_updates import (
    GroupChange,
    Keyed,
    StateLost,
    TooLong,
    UpdatesDifference,
    UpdatesState,
)
from edge.userbot.telegram import chat_history
from edge.userbot.telegram.api import CallRefused, TelegramApi
from edge.userbot.telegram.incoming import chat_token
from edge.userbot.telegram.update_reader import NEW, UpdateReader, is_of_group
from events.runtime.log_throttle import LogThrottle

WARNING_INTERVAL = 600.0
"""Seconds."""
STATE_REFUSED = ("PERSISTENT_TIMESTAMP_", "DATE_EMPTY")
"""How the refusals begin that are about the state (https://core.telegram.org/method/updates.getDifference)."""
NO_DATE = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


class TelegramUpdatesSource:
    """Implements `edge.userbot.intake.account_updates.UpdatesSource`.

    `on_other_update` gets all changes that are no new messages, `on_group_change` those that supergroups count.
    `answers_in`: whether questions in a group are answered.
    """

    def __init__(
        self,
        api: TelegramApi,
        reader: UpdateReader,
        *,
        on_other_update: Callable[[Any], None] = lambda update: None,
        on_group_change: Callable[[GroupChange], None] = lambda change: None,
        answers_in: Callable[[str], bool] = lambda chat: False,
    ) -> None:
        self._api = api
        self._reader = reader
        self._on_other_update = on_other_update
        self._on_group_change = on_group_change
        self._answers_in = answers_in
        self._log_throttle = LogThrottle(WARNING_INTERVAL)

    @property
    def can_read_back(self) -> bool:
        return not self._api.is_bot

    async def state(self) -> UpdatesState:
        try:
            return _state(await self._api.invoke(raw.functions.updates.GetState()))
        except CallRefused as error:
            raise UnknownAnswer(f"Telegram does not tell the state: {error.reason}; trying again") from None

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        query = raw.functions.updates.GetDifference(pts=since.pts, date=since.date, qts=since.qts)
        try:
            found = await self._api.invoke(query)
        except CallRefused as error:
            if error.reason.startswith(STATE_REFUSED):
                raise StateLost(f"Telegram refused the state: {error.reason}") from None
            raise UnknownAnswer(f"Telegram refused the difference: {error.reason}; trying again") from None
        await self._api.save_peers()
        self._hand_on(found)
        match found:
            case raw.types.updates.DifferenceEmpty(date=date, seq=seq):
                return UpdatesDifference(since.model_copy(update={"date": date, "seq": seq}), [], complete=True)
            case raw.types.updates.DifferenceTooLong(pts=pts):
                return TooLong(counted(pts))
            case raw.types.updates.DifferenceSlice(intermediate_state=state):
                return UpdatesDifference(_state(state), self._contents(found), complete=False)
            case raw.types.updates.Difference(state=state):
                return UpdatesDifference(_state(state), self._contents(found), complete=True)
        raise UnknownAnswer(f"Telegram gave {type(found).__name__} for a difference; trying again")

    def _hand_on(self, difference: Any) -> None:
        """Hand on what a difference has for others."""
        updates = getattr(difference, "other_updates", ())
        for update in updates:
            self._on_other_update(update)
        for change in self._reader.group_changes(updates, getattr(difference, "users", ())):
            self._on_group_change(change)

    async def recent(self, since: datetime) -> list[Message]:
        found: list[Message] = []
        if not self.can_read_back:
            self._warn_not_shown(since, "the account is a bot")
            return found
        try:
            async for peer, users in self._dialogs(since):
                found += await self._history(peer, users, since)
        except CallRefused as error:
            self._warn_not_shown(since, error.reason)
        await self._api.save_peers()
        return sorted(found, key=lambda message: (message.date, message.message_id))

    def _warn_not_shown(self, since: datetime, reason: str) -> None:
        """Log that missed messages can't be read, only from time to time."""
        if self._log_throttle.due(reason):
            log.warning("telegram.chats_not_shown", missed_since=since.isoformat(), reason=reason)

    async def _dialogs(self, since: datetime) -> Any:
        """Yield chats with a message from `since` on, each with its users: pinned ones first, then the most recent."""
        async for page in chat_history.dialog_pages(self._api):
            users = {user.id: user for user in page.users}
            for dialog, top in chat_history.dialog_tops(page):
                if chat_history.date_of(top) < since:
                    if dialog.pinned:
                        continue
                    return
                if peer := self._peer_to_read(dialog.peer, users):
                    yield peer, page.users

    def _peer_to_read(self, peer: Any, users: Mapping[int, Any]) -> Any:
        """Return the address of a chat whose missed messages matter, None for others."""
        match peer:
            case raw.types.PeerUser(user_id=user_id) if user := users.get(user_id):
                return raw.types.InputPeerUser(user_id=user.id, access_hash=user.access_hash or 0)
            case raw.types.PeerChat(chat_id=chat_id) if self._answers_in(str(chat_token(peer))):
                return raw.types.InputPeerChat(chat_id=chat_id)
        return None

    async def _history(self, peer: Any, users: list[Any], since: datetime) -> list[Message]:
        try:
            found, shown = await chat_history.messages_since(self._api, peer, since)
        except CallRefused as error:
            self._warn_not_shown(since, error.reason)
            return []
        return self._reader.messages(found, [*users, *shown])

    def _contents(self, difference: Any) -> Sequence[Keyed]:
        """Return what a difference contains, in Telegram's order as far as that is known.

        Its new messages are as they are after the edits and deletions that it has besides them.
        """
        others = [update for update in difference.other_updates if not isinstance(update, NEW)]
        apart = [update for update in others if hasattr(update, "qts")]
        changes = [update for update in others if not hasattr(update, "qts") and not is_of_group(update)]
        messages = self._reader.messages(_new(difference), difference.users)
        return [
            *_merged(self._reader.read_all(apart, difference.users), messages),
            *self._reader.read_all(changes, difference.users),
        ]


def _merged(*sequences: Sequence[Keyed]) -> list[Keyed]:
    """Merge contents by their dates, those of each sequence in its order; of one second those of the first come first.

    So a connection comes before what is ordered through it. What has no date follows the content before it.
    """
    dated = [zip(accumulate(map(_content_date, contents), max), contents, strict=True) for contents in sequences]
    return [content for _, content in merge(*dated, key=itemgetter(0))]


def _content_date(content: Keyed) -> datetime:
    date: datetime = getattr(content, "date", NO_DATE)
    return date


def _new(difference: Any) -> list[Any]:
    others = (update for update in difference.other_updates if isinstance(update, raw.types.UpdateNewMessage))
    return [*difference.new_messages, *(update.message for update in others)]


def _state(state: Any) -> UpdatesState:
    return UpdatesState(pts=counted(state.pts), qts=state.qts, date=state.date, seq=state.seq)


def counted(pts: int) -> int:
    """Return `pts`, a number of changes. Raises UnknownAnswer for a negative one, which could not be saved."""
    if pts < 0:
        raise UnknownAnswer(f"Telegram counts {pts} changes; trying again")
    return pts
