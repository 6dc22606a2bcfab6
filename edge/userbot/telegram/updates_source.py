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
from edge.userbot.intake.account_updates import Keyed, StateLost, TooLong, UpdatesDifference, UpdatesState
from edge.userbot.telegram import chat_history
from edge.userbot.telegram.api import CallRefused, TelegramApi
from edge.userbot.telegram.incoming import to_message
from edge.userbot.telegram.updates import ReadOther
from events.runtime.log_throttle import LogThrottle

PAGE = 100
"""Messages a call."""

WARNING_INTERVAL = 600.0
"""Seconds."""
NO_DATE = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


class TelegramUpdatesSource:
    """Implements `edge.userbot.intake.account_updates.UpdatesSource`.

    `on_other_update` gets all other changes; `read_other` reads what they contain.
    """

    def __init__(
        self,
        api: TelegramApi,
        account: str,
        *,
        groups: bool,
        bots: bool,
        on_other_update: Callable[[Any], None] = lambda update: None,
        read_other: ReadOther = lambda _update, _users: None,
    ) -> None:
        self._api = api
        self._account = account
        self._groups = groups
        self._bots = bots
        self._on_other_update = on_other_update
        self._read_other = read_other
        self._log_throttle = LogThrottle(WARNING_INTERVAL)

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
            raise StateLost(f"Telegram refused the state: {error.reason}") from None
        await self._api.save_peers()
        for update in getattr(found, "other_updates", ()):
            self._on_other_update(update)
        match found:
            case raw.types.updates.DifferenceEmpty(date=date, seq=seq):
                return UpdatesDifference(since.model_copy(update={"date": date, "seq": seq}), [], complete=True)
            case raw.types.updates.DifferenceTooLong(pts=pts):
                return TooLong(_counted(pts))
            case raw.types.updates.DifferenceSlice(intermediate_state=state):
                return UpdatesDifference(_state(state), self._contents(found), complete=False)
            case raw.types.updates.Difference(state=state):
                return UpdatesDifference(_state(state), self._contents(found), complete=True)
        raise UnknownAnswer(f"Telegram gave {type(found).__name__} for a difference; trying again")

    async def recent(self, since: datetime) -> list[Message]:
        found: list[Message] = []
        if self._api.is_bot:
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
        """Yield the peers of private chats with a message from `since` on: pinned ones first, then the most recent."""
        async for page in chat_history.dialog_pages(self._api):
            users = {user.id: user for user in page.users}
            for dialog, top in chat_history.dialog_tops(page):
                if _date(top) < since:
                    if dialog.pinned:
                        continue
                    return
                if isinstance(dialog.peer, raw.types.PeerUser) and (user := users.get(dialog.peer.user_id)):
                    peer = raw.types.InputPeerUser(user_id=user.id, access_hash=user.access_hash or 0)
                    yield peer, users

    async def _history(self, peer: Any, users: Mapping[int, Any], since: datetime) -> list[Message]:
        found: list[Any] = []
        while True:
            try:
                page = await chat_history.newest_messages(
                    self._api, peer, limit=PAGE, before=found[-1].id if found else 0
                )
            except CallRefused as error:
                self._warn_not_shown(since, error.reason)
                break
            found += page
            if not page or _date(page[-1]) < since:
                break
        return self._messages([message for message in found if _date(message) >= since], list(users.values()))

    def _contents(self, difference: Any) -> Sequence[Keyed]:
        """Return the new messages of a difference and what its other updates contain, each in Telegram's order."""
        users = {user.id: user for user in difference.users}
        others = (self._other(update, users) for update in difference.other_updates)
        messages = self._messages(_new(difference), difference.users)
        return _merged([content for content in others if content], messages)

    def _other(self, update: Any, users: Mapping[int, Any]) -> Keyed | None:
        try:
            return self._read_other(update, users)
        except Exception as error:  # noqa: BLE001 - one unexpected update must not hold up the others
            log.warning("telegram.update_unreadable", kind=type(update).__name__, error=type(error).__name__)
            return None

    def _messages(self, messages: list[Any], users: list[Any]) -> list[Message]:
        known = {user.id: user for user in users}
        found = [self._message(message, known) for message in messages]
        return [message for message in found if message]

    def _message(self, message: Any, users: Mapping[int, Any]) -> Message | None:
        try:
            return to_message(self._account, message, users, groups=self._groups, bots=self._bots)
        except Exception as error:  # noqa: BLE001 - one unexpected message must not hold up the others
            log.warning("telegram.message_unreadable", kind=type(message).__name__, error=type(error).__name__)
            return None


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
    others = (raw.types.UpdateNewMessage, raw.types.UpdateNewChannelMessage)
    return [
        *difference.new_messages,
        *(update.message for update in difference.other_updates if isinstance(update, others)),
    ]


def _state(state: Any) -> UpdatesState:
    return UpdatesState(pts=_counted(state.pts), qts=state.qts, date=state.date, seq=state.seq)


def _counted(pts: int) -> int:
    """Return `pts`, a number of changes. Raises UnknownAnswer for a negative one, which could not be saved."""
    if pts < 0:
        raise UnknownAnswer(f"Telegram counts {pts} changes; trying again")
    return pts


def _date(message: Any) -> datetime:
    return datetime.fromtimestamp(getattr(message, "date", 0), UTC)
