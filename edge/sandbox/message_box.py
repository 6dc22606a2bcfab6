"""A message box, as Telegram calls it: messages under the ids of a user or a channel, and a numbered log of changes."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from edge.sandbox.tl import Objects


@dataclass(frozen=True, slots=True)
class Reaction:
    """A user's reaction, and its date in Unix time."""

    emoji: str
    date: int


@dataclass(slots=True)
class StoredMessage:
    """One user's or channel's copy of a message. `key` is the same in all copies. Dates are Unix time in seconds.

    `peer_id`: the chat, for the owner of the box. `out`: the owner wrote it, also to Saved Messages; in a channel's box
    it is never set. `sender_id`: the user who wrote it; `from_id`: who is shown as its writer, a user or an anonymous
    group, None for a channel's post. `markup`: a bot's buttons. `via_business_bot`: the connected bot that wrote it in
    the user's name; only the user's copy tells.
    `edit_hidden`: only its reactions have changed. `action`: what a service message tells. `top_id`: the message that
    began its thread, or its topic (`in_topic`). `mentioned`: the users whom it mentions or answers, in a group.
    `reactions`: the users' reactions, the latest last; all copies share them.
    """

    id: int
    key: int
    peer_id: int
    text: str
    out: bool
    date: int
    sender_id: int = 0
    from_id: int | None = None
    reply_to: int | None = None
    edited: int | None = None
    edit_hidden: bool = False
    silent: bool = False
    entities: Objects | None = None
    markup: Any = None
    via_business_bot: int | None = None
    action: Any = None
    top_id: int | None = None
    in_topic: bool = False
    mentioned: frozenset[int] = frozenset()
    reactions: dict[int, Reaction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class New:
    message_id: int


@dataclass(frozen=True, slots=True)
class Edited:
    message_id: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """`peer_ids`: for each message, with whom it was."""

    message_ids: tuple[int, ...]
    peer_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadInbox:
    peer_id: int
    max_id: int
    unread: int


@dataclass(frozen=True, slots=True)
class ReadOutbox:
    peer_id: int
    max_id: int


Change = New | Edited | Deleted | ReadInbox | ReadOutbox


@dataclass(frozen=True, slots=True)
class BoxEvent:
    """A change of a user's or a channel's box, and the box's pts after it."""

    owner_id: int
    pts: int
    pts_count: int
    change: Change


@dataclass(frozen=True, slots=True)
class Stopped:
    """A user has blocked or unblocked a bot. Such events are counted by `qts`, not by the box's pts."""

    user_id: int
    stopped: bool
    date: int
    qts: int


@dataclass(frozen=True, slots=True)
class BotChange:
    """What a bot is told of a reaction, or of an account that is connected to it: `update`, which names `ids`.

    Counted by `qts`.
    """

    owner_id: int
    qts: int
    update: Any
    ids: tuple[int, ...]


@dataclass(slots=True)
class MessageBox:
    """`pts` counts changes (https://core.telegram.org/api/updates); `log` has all of them since `pts` was 1.

    `counted_by_qts` has the events that `qts` counts; only bots get them.
    """

    owner_id: int
    pts: int = 1
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    log: list[BoxEvent] = field(default_factory=list)
    counted_by_qts: list[Stopped | BotChange] = field(default_factory=list)
    read_inbox: dict[int, int] = field(default_factory=dict)
    read_outbox: dict[int, int] = field(default_factory=dict)
    _ids: dict[int, int] = field(default_factory=dict)
    _last_id: int = 0
    _first_qts: int = 0

    def begin_after(self, number: int) -> None:
        """Start message ids, pts and qts after `number`."""
        self._last_id = self._first_qts = number
        self.pts += number

    @property
    def qts(self) -> int:
        return self._first_qts + len(self.counted_by_qts)

    def since_qts(self, qts: int) -> list[Stopped | BotChange]:
        """Return the events that are counted by `qts` after this one."""
        return self.counted_by_qts[max(0, qts - self._first_qts) :]

    def add(self, *, key: int, peer_id: int, text: str, out: bool, date: int, sender_id: int = 0) -> StoredMessage:
        self._last_id += 1
        message = StoredMessage(self._last_id, key, peer_id, text, out, date, sender_id)
        self.messages[message.id] = message
        self._ids[key] = message.id
        return message

    def copy_of(self, message: StoredMessage | None) -> StoredMessage | None:
        """Return this user's copy of a message in another box."""
        return self.messages.get(self._ids.get(message.key, 0)) if message else None

    def record(self, change: Change, count: int = 1) -> BoxEvent:
        self.pts += count
        event = BoxEvent(self.owner_id, self.pts, count, change)
        self.log.append(event)
        return event

    def chat(self, peer_id: int) -> list[StoredMessage]:
        """Return the messages with one peer, oldest first."""
        return [message for message in self.messages.values() if message.peer_id == peer_id]

    def latest(self) -> dict[int, StoredMessage]:
        """Return the last message with each peer, the most recent first."""
        found: dict[int, StoredMessage] = {}
        for message in reversed(self.messages.values()):
            found.setdefault(message.peer_id, message)
        return found

    def unread(self) -> Counter[int]:
        """Return the number of unread messages of each peer."""
        return Counter(
            message.peer_id
            for message in self.messages.values()
            if not message.out and message.id > self.read_inbox.get(message.peer_id, 0)
        )

    def since(self, pts: int) -> list[BoxEvent]:
        """Return the events after `pts`."""
        return self.log[bisect_right(self.log, pts, key=lambda event: event.pts) :]
