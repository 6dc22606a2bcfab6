"""Take every update of a client before pyrogram's own handling can lose it.

pyrogram 2.0.106 drops the rest of a batch when one update of it fails (a channel id that it considers invalid will do),
reads only the first message of the difference that it fetches for a short update, and ignores `updatesTooLong`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import structlog
from pyrogram import Client, raw, utils

from edge.userbot.chat.incoming import Typing
from edge.userbot.intake.account_updates import Counter, Gap, GroupChange, Keyed, LiveChange
from edge.userbot.telegram.incoming import active_names
from edge.userbot.telegram.pyrogram_repairs import remember_peers
from edge.userbot.telegram.slow_modes import SlowModes
from edge.userbot.telegram.update_reader import TYPING, UpdateReader, read_typing
from events.runtime.log_throttle import LogThrottle


class OwnNames:
    """The account's usernames, for a client that is not started yet. Until the account is known, there are none.

    The sign-in shows the account, and so do updates with a message of its own. Telegram reports a new name at once.
    `remembers`: the client goes on remembering the users and chats that it sees.
    """

    def __init__(self, client: Client, *, remembers: bool = True) -> None:
        self.active: frozenset[str] = frozenset()
        """The usernames that are in use, in lower case."""
        self._account: int | None = None
        self._client = client
        self._remembers = remembers
        client.fetch_peers = self.fetch_peers  # type: ignore[method-assign]

    def learn_from_users(self, users: Iterable[Any]) -> None:
        """Take the names from users if the account is among them."""
        for user in users:
            # A partial (`min`) user may lack names.
            if isinstance(user, raw.types.User) and user.is_self and not user.min:
                self._account = user.id
                self.active = active_names(user.username, user.usernames)

    def learn_from_update(self, update: Any) -> None:
        """Take the names from an update if it is about the account's."""
        if isinstance(update, raw.types.UpdateUserName) and update.user_id == self._account:
            self.active = active_names(None, update.usernames)

    async def fetch_peers(self, peers: Any) -> bool:
        """Replace `Client.fetch_peers`, which gets the users of every result."""
        self.learn_from_users(peers)
        return self._remembers and await Client.fetch_peers(self._client, peers)


Item = LiveChange | Gap | Keyed

LOWEST_CHANNEL_ID = -1_997_852_516_352
LOWEST_CHAT_ID = -999_999_999_999
"""https://core.telegram.org/api/bots/ids"""

log = structlog.get_logger(__name__)


class Updates:
    """Takes the updates of a client that is not started yet, and keeps them until `listen` is called.

    `remembers`: the client keeps the users and chats that it sees, in memory and in its session file.
    """

    def __init__(self, client: Client, *, remembers: bool = True) -> None:
        self._client = client
        self.names = OwnNames(client, remembers=remembers)
        self.slow_modes = SlowModes()
        client.fetch_peers = self._fetch_peers  # type: ignore[method-assign]
        self._remembers = remembers
        self._reader = UpdateReader("")
        self.on_press: Callable[[Any], None] = lambda _press: None
        """Gets presses of buttons, which the account's changes do not count."""
        self.on_typing: Callable[[Typing], None] = lambda _typing: None
        """Gets who is typing, which is not counted either."""
        self.on_group_change: Callable[[GroupChange], None] = lambda _change: None
        """Gets what supergroups and channels count."""
        self.on_reconnected: Callable[[], None] = lambda: None
        """Is called before what was missed is fetched."""
        self._on_item: Callable[[Item], None] | None = None
        self._waiting: list[Any] = []
        self._remembered: set[int] = set()
        self._log_throttle = LogThrottle()
        client.handle_updates = self._handle  # type: ignore[method-assign]
        utils.MIN_CHANNEL_ID = LOWEST_CHANNEL_ID
        utils.MIN_CHAT_ID = LOWEST_CHAT_ID

    def listen(self, reader: UpdateReader, put: Callable[[Item], None]) -> None:
        self._reader, self._on_item = reader, put
        for updates in self._waiting:
            self.take(updates)
        self._waiting.clear()

    def reconnected(self) -> None:
        self.on_reconnected()
        self.take(raw.types.UpdatesTooLong())

    def take(self, updates: Any) -> None:
        """Take updates that were pushed or are the result of a call."""
        if self._on_item is None:
            self._waiting.append(updates)
            return
        try:
            items = list(self._items(updates))
        except Exception as error:  # noqa: BLE001 - the messages must not be lost because of it
            log.warning("telegram.updates_unreadable", kind=type(updates).__name__, error=type(error).__name__)
            items = [Gap("unreadable"), GroupChange(None, Gap("unreadable"))]
        for item in items:
            if isinstance(item, GroupChange):
                self.take_group_change(item)
            else:
                self._on_item(item)

    def take_group_change(self, change: GroupChange) -> None:
        """Take what a supergroup or channel counts, live or fetched."""
        self.on_group_change(change)

    async def _handle(self, updates: Any) -> None:
        """Replace `Client.handle_updates`."""
        self.names.learn_from_users(getattr(updates, "users", []))
        self.slow_modes.learn_from_chats(getattr(updates, "chats", []))
        if self._remembers:
            await self._remember(getattr(updates, "users", []))
            await self._remember(getattr(updates, "chats", []))
        self.take(updates)

    async def _fetch_peers(self, peers: Any) -> bool:
        """Replace `Client.fetch_peers`, which gets the users and the chats of every result."""
        self.slow_modes.learn_from_chats(peers)
        return await self.names.fetch_peers(peers)

    async def _remember(self, peers: list[Any]) -> None:
        """Write users and chats to disk now, so that they survive if the process is killed."""
        new = {peer.id for peer in peers} - self._remembered
        if not new:
            return
        try:
            await remember_peers(self._client, peers)
            await self._client.storage.save()
        except Exception as error:  # noqa: BLE001 - the messages must not be lost because of it
            if self._log_throttle.due(type(error).__name__):
                log.warning("telegram.peers_not_remembered", error=type(error).__name__)
        else:
            self._remembered |= new

    def _items(self, updates: Any) -> Iterator[Item | GroupChange]:
        match updates:
            case raw.types.Updates() | raw.types.UpdatesCombined():
                users = {user.id: user for user in updates.users}
                for update in updates.updates:
                    yield from self._item(update, users)
            case raw.types.UpdateShort():
                yield from self._item(updates.update, {})
            case raw.types.UpdateShortMessage() | raw.types.UpdateShortChatMessage():
                # It does not contain the sender.
                yield Gap("short", updates.pts)
            case raw.types.UpdateShortSentMessage():
                yield LiveChange(updates.pts, updates.pts_count)
            case raw.types.UpdatesTooLong():
                yield Gap("too long")
                yield GroupChange(None, Gap("too long"))

    def _item(self, update: Any, users: Mapping[int, Any]) -> Iterator[Item | GroupChange]:
        self.names.learn_from_update(update)
        if change := self._reader.group_change(update, users):
            yield change
        elif isinstance(update, raw.types.UpdateBotCallbackQuery):
            self.on_press(update)
        elif isinstance(update, TYPING):
            if typing := read_typing(update):
                self.on_typing(typing)
        elif isinstance(update, raw.types.UpdatePtsChanged):
            yield Gap("pts changed")
        elif hasattr(update, "qts"):
            yield from self._counted_by_qts(update, users)
        elif "Channel" not in type(update).__name__ and hasattr(update, "pts") and hasattr(update, "pts_count"):
            yield LiveChange(update.pts, update.pts_count, self._reader.read(update, users))
        elif content := self._reader.read(update, users):  # not counted, as reactions
            yield content

    def _counted_by_qts(self, update: Any, users: Mapping[int, Any]) -> Iterator[Item]:
        content = self._reader.read(update, users)
        if self._reader.read_other and update.qts > 0:
            yield LiveChange(update.qts, 1, content, Counter.QTS)
        elif content:  # not counted, e.g. the result of a call
            yield content
