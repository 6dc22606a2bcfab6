"""Every update of a client, taken before pyrogram's own handling can lose it.

pyrogram 2.0.106 drops the rest of a batch when one update of it fails (a channel id that it thinks invalid is enough),
reads only the first message of the difference that it fetches for a short update, and ignores `updatesTooLong`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import structlog
from pyrogram import Client, raw, utils

from edge.userbot.chat.transitions import Incoming
from edge.userbot.intake.account_updates import Gap, LiveChange
from edge.userbot.telegram.incoming import to_incoming
from edge.userbot.telegram.pyrogram_repairs import remember_peers
from events.runtime.log_throttle import LogThrottle


class OwnNames:
    """Takes over a client that is not started yet. Until Telegram has said who the account is, it has no name.

    The sign-in shows the account, and so does whatever comes with a message of its own. A new name is told at once.
    """

    def __init__(self, client: Client) -> None:
        self.active: frozenset[str] = frozenset()
        """The usernames that are in use, in lower case."""
        self._account: int | None = None
        self._client = client
        client.fetch_peers = self._fetch_peers  # type: ignore[method-assign]

    def hear(self, users: Iterable[Any]) -> None:
        """Take in people that Telegram shows."""
        for user in users:
            # One that is shown in part need not have all its names.
            if isinstance(user, raw.types.User) and user.is_self and not user.min:
                self._account = user.id
                self.active = _names(user.username, user.usernames)

    def hear_update(self, update: Any) -> None:
        """Take in an update, which may be about somebody's names."""
        if isinstance(update, raw.types.UpdateUserName) and update.user_id == self._account:
            self.active = _names(None, update.usernames)

    async def _fetch_peers(self, peers: Any) -> bool:
        """Stands in for `Client.fetch_peers`, which every result of a call goes through."""
        self.hear(peers)
        return await Client.fetch_peers(self._client, peers)


def _names(one: str | None, several: Iterable[Any] | None) -> frozenset[str]:
    active = [name.username for name in several or () if name.active]
    return frozenset(name.lower() for name in (one, *active) if name)


Item = LiveChange | Gap | Incoming

LOWEST_CHANNEL_ID = -1_997_852_516_352
LOWEST_CHAT_ID = -999_999_999_999
"""https://core.telegram.org/api/bots/ids"""

log = structlog.get_logger(__name__)


class Updates:
    """Takes over a client that is not started yet; before `listen`, updates wait. `names` are the account's own."""

    def __init__(self, client: Client, *, groups: bool, bots: bool) -> None:
        self._client = client
        self.names = OwnNames(client)
        self._groups = groups
        self._bots = bots
        self._account = ""
        self._put: Callable[[Item], None] | None = None
        self._waiting: list[Any] = []
        self._remembered: set[int] = set()
        self._log_throttle = LogThrottle()
        client.handle_updates = self._handle  # type: ignore[method-assign]
        utils.MIN_CHANNEL_ID = LOWEST_CHANNEL_ID
        utils.MIN_CHAT_ID = LOWEST_CHAT_ID

    def listen(self, account: str, put: Callable[[Item], None]) -> None:
        self._account, self._put = account, put
        for updates in self._waiting:
            self.take(updates)
        self._waiting.clear()

    def reconnected(self) -> None:
        self.take(raw.types.UpdatesTooLong())

    def take(self, updates: Any) -> None:
        """Updates that were pushed, or that are the result of a call."""
        if self._put is None:
            self._waiting.append(updates)
            return
        try:
            items = list(self._items(updates))
        except Exception as error:  # noqa: BLE001 - whatever it is, the messages must not go with it
            log.warning("telegram.updates_unreadable", kind=type(updates).__name__, error=type(error).__name__)
            items = [Gap("unreadable")]
        for item in items:
            self._put(item)

    async def _handle(self, updates: Any) -> None:
        """Stands in for `Client.handle_updates`."""
        self.names.hear(getattr(updates, "users", []))
        await self._remember(getattr(updates, "users", []))
        await self._remember(getattr(updates, "chats", []))
        self.take(updates)

    async def _remember(self, peers: list[Any]) -> None:
        """Who these are, on disk at once: a killed process must know them when it starts again."""
        new = {peer.id for peer in peers} - self._remembered
        if not new:
            return
        try:
            await remember_peers(self._client, peers)
            await self._client.storage.save()
        except Exception as error:  # noqa: BLE001 - whatever it is, the messages must not go with it
            if self._log_throttle.due(type(error).__name__):
                log.warning("telegram.peers_not_remembered", error=type(error).__name__)
        else:
            self._remembered |= new

    def _items(self, updates: Any) -> Iterator[Item]:
        match updates:
            case raw.types.Updates() | raw.types.UpdatesCombined():
                users = {user.id: user for user in updates.users}
                for update in updates.updates:
                    yield from self._item(update, users)
            case raw.types.UpdateShort():
                yield from self._item(updates.update, {})
            case raw.types.UpdateShortMessage() | raw.types.UpdateShortChatMessage():
                # It does not say who wrote.
                yield Gap("short", updates.pts)
            case raw.types.UpdateShortSentMessage():
                yield LiveChange(updates.pts, updates.pts_count)
            case raw.types.UpdatesTooLong():
                yield Gap("too long")

    def _item(self, update: Any, users: Mapping[int, Any]) -> Iterator[Item]:
        self.names.hear_update(update)
        if isinstance(update, raw.types.UpdateNewChannelMessage):
            if message := self._incoming(update.message, users):
                yield message
        elif isinstance(update, raw.types.UpdatePtsChanged):
            yield Gap("pts changed")
        elif "Channel" not in type(update).__name__ and hasattr(update, "pts") and hasattr(update, "pts_count"):
            message = self._incoming(getattr(update, "message", None), users) if _is_new(update) else None
            yield LiveChange(update.pts, update.pts_count, message)

    def _incoming(self, message: Any, users: Mapping[int, Any]) -> Incoming | None:
        return to_incoming(self._account, message, users, groups=self._groups, bots=self._bots)


def _is_new(update: Any) -> bool:
    return isinstance(update, raw.types.UpdateNewMessage)
