"""What is known of one run, a line each: what was asked, sent and logged, and what was out of order meanwhile.

All times are seconds of one clock. `account` is the kind of an edge, empty where all are concerned. Chats and request
ids are text, as in the product's events. Lines come in any order.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from tests.promises.program_lines import Dead, GivenUp, Posted, Replied

USER, BOT, BUSINESS = EDGES = ("userbot", "bot", "business")
"""Kinds of edges, and of their processes."""
FOR_EVER = float("inf")
REQUESTS = "requests"
FORCED = "forced"
"""How a process ended that had not done so in time, and was killed."""


@dataclass(frozen=True)
class Settings:
    """The product's, in seconds. `collects`: the most that a burst is collected, its delay included."""

    deadline: float = 120.0
    owner_pause: float = 0.0
    approve_for: float = 0.0
    collects: float = 70.0


@dataclass(frozen=True)
class Account:
    """What may be asked of it. `owned`: its owner is in charge, which the next three are about.

    `limit`: answers for a chat a day. `approving`: chats whose answers need approval; `expired`: what becomes of one
    without a decision, drop or send. `hourly`: answers for a chat an hour to messages without the prefix.
    `sees_deletions`: Telegram tells it of messages that users delete; `drops_deleted`: then a question with the prefix
    is dropped, too. `kept_out`: chats whose people get no answer by the settings; `looks_up`: who wrote first in a chat
    is, for that. `limit_for_all`: answers a day in all chats.
    """

    account: str
    owned: bool = False
    limit: int = 0
    approving: tuple[str, ...] = ()
    expired: str = "drop"
    hourly: int = 0
    sees_deletions: bool = False
    kept_out: tuple[str, ...] = ()
    looks_up: bool = False
    limit_for_all: int = 0
    drops_deleted: bool = False


@dataclass(frozen=True)
class Asked:
    """A question. `text` and `changed`, its text after an edit, hold a number that no other question has.

    `message_id` is the message's id for the account, `own_id` for who asks. `answered_at`: when an outcome was seen.
    `replacements`: what the owner wrote in place of its answer. `is_piece`: it has no prefix, and may be asked together
    with others. `repeated_at`: when its user sent the same text again. `writer`: who asks, if it is in a group.
    """

    account: str
    chat: str
    message_id: int
    own_id: int
    request_id: str
    text: str
    asked_at: float
    answered_at: float | None = None
    is_piece: bool = False
    changed: str = ""
    deleted_at: float | None = None
    repeated_at: float | None = None
    replacements: tuple[str, ...] = ()
    writer: str = ""

    @property
    def name(self) -> str:
        """The request id without its revision."""
        return self.request_id.rpartition(".")[0]

    @property
    def texts(self) -> set[str]:
        return {self.text, self.changed or self.text}


@dataclass(frozen=True)
class Sent:
    """What lies in a chat from the account, with its id and what it answers for who asks; not in its owner's chat.

    `about`: the request id that it was sent for, if its random id says so.
    """

    account: str
    chat: str
    id: int
    text: str
    at: float
    reply_to: int | None = None
    edited_at: float | None = None
    about: str = ""


@dataclass(frozen=True)
class Logged:
    """The log has `message.received`."""

    account: str
    chat: str
    message_id: int
    effect: str
    at: float


@dataclass(frozen=True)
class Settled:
    """The log has `question.settled`."""

    account: str
    chat: str
    message_id: int
    outcome: str
    at: float


@dataclass(frozen=True)
class Undeliverable:
    """The log has that Telegram refused an answer for good."""

    account: str
    chat: str
    at: float


@dataclass(frozen=True)
class Skipped:
    """The log has that a step of a chat was given up."""

    account: str
    chat: str
    step: str
    at: float


@dataclass(frozen=True)
class LeftAlone:
    """The log has that the account is silent in a group for a while, as it may not write there."""

    account: str
    chat: str
    at: float


@dataclass(frozen=True)
class Disturbance:
    """Something was out of order.

    `what` is the kind of fault, `whom` a kind of process, `telegram`, or a stream's name. `account`: the kind of the
    only edge that it concerned, if there is one.
    """

    what: str
    whom: str
    began: float
    ended: float = FOR_EVER
    account: str = ""

    def touches(self, begin: float, end: float, *, slack: float = 0.0) -> bool:
        return self.began <= end and self.ended + slack >= begin


@dataclass(frozen=True)
class Flood:
    """Telegram has told the account to wait so long."""

    account: str
    seconds: float


@dataclass(frozen=True)
class Refused:
    """So many messages were refused for good, as planned, to the account or to the bot that it shares with others."""

    account: str
    count: int


@dataclass(frozen=True)
class Malformed:
    """Nonsense has taken the place of the reply."""

    request_id: str


@dataclass(frozen=True)
class Spoilt:
    """A worker of somebody else's, or RabbitMQ, gave no answer to the request. `what`: see `spoiling.py`."""

    request_id: str
    what: str


@dataclass(frozen=True)
class Break:
    """A chat's record can't be read from `at` until its user has started it afresh; `own_id`: the user's last message.

    `hasty`: the user did not wait to be told.
    """

    account: str
    chat: str
    own_id: int
    at: float
    afresh_at: float = FOR_EVER
    hasty: bool = False


@dataclass(frozen=True)
class Erased:
    """The user sent `/delete_history`."""

    account: str
    chat: str
    message_id: int
    own_id: int
    at: float


@dataclass(frozen=True)
class Remark:
    """What people say in a group that is not meant for the account. `text` holds a number that no other remark has.

    `reacted`: the account has reacted to it.
    """

    account: str
    chat: str
    message_id: int
    text: str
    reacted: bool = False


@dataclass(frozen=True)
class Voted:
    """A reader has reacted to an answer, which reads `text` and is the message `message_id` for who reads it.

    `vote`: 1, -1, or 0 if it was taken back, or was another reaction. `reader`: as the product calls them.
    `is_taken_back`: the reader has no reaction there any more.
    """

    account: str
    chat: str
    message_id: int
    text: str
    reader: str
    vote: int
    at: float
    is_taken_back: bool = False


@dataclass(frozen=True)
class Kept:
    """The store has this vote at the end."""

    account: str
    request_id: str
    reader: str
    vote: int


@dataclass(frozen=True)
class Act:
    """`what`: wrote (in a chat), pause, deny, cancel, approve, reject, replace, or another order's name.

    Also `flooded`: Telegram takes the account for a spammer, and all chats are paused.

    `chat`: whom it concerns, None: everybody. `number`: its message for the account. `questions`: the names of those
    that a decision is about. `done_at`: when the owner was told so, with `said`. A pause or a denial is taken back by
    an order that is sent at `back_from` and carried out by `back_at`. `by_date`: given in a chat that numbers its
    messages by itself, it concerns what was asked before it by date.
    """

    account: str
    what: str
    chat: str | None
    at: float
    number: int
    questions: tuple[str, ...] = ()
    done_at: float = FOR_EVER
    said: str = ""
    back_from: float = FOR_EVER
    back_at: float = FOR_EVER
    times: int = 1
    """How often the owner was told."""
    by_date: bool = False


@dataclass(frozen=True)
class Absent:
    """Who has connected a bot to the account took that back at `at`, until `back_at`; the bot knows `since` then.

    `how`: by an order to the bot, in Telegram, or only the right to answer (`presence.py`).
    """

    account: str
    how: str
    at: float
    since: float = FOR_EVER
    back_at: float = FOR_EVER


@dataclass(frozen=True)
class Stored:
    """At the end `what` is stored about somebody who has left for good."""

    account: str
    what: str


@dataclass(frozen=True)
class Draft:
    """As it stood in the owner's chat. `decisions`: numbers of acts. `is_left`: it still stands there at the end."""

    account: str
    message_id: int
    text: str
    questions: tuple[str, ...]
    seen_at: float
    decisions: tuple[int, ...] = ()
    is_left: bool = False


@dataclass(frozen=True)
class Record:
    """A chat's at the end. `seen`: the messages that it knows. `open_drafts`: how many still stand in it."""

    account: str
    chat: str
    is_readable: bool = True
    rests: bool = True
    seen: tuple[int, ...] = ()
    open_drafts: int = 0


@dataclass(frozen=True)
class NoRecords:
    """An account's records or streams could not be read at the end."""

    account: str
    error: str


@dataclass(frozen=True)
class Acknowledged:
    """The broker has acknowledged an event, of the channel `requests` or `replies`."""

    channel: str
    request_id: str


@dataclass(frozen=True)
class Process:
    """A process of the kind `process` that has ended. `how`: killed, terminated, forced, or by itself.

    `told_at`: when it was told to end, which may take `within` seconds.
    """

    process: str
    how: str
    code: int = 0
    told_at: float | None = None
    ended_at: float | None = None
    within: float = FOR_EVER


@dataclass(frozen=True)
class Update:
    """A compare-and-set of a record that was attempted from `began` to `ended`.

    `expected`: the revision that it builds on, 0: none. `result`: ok, failed, or unknown if the answer was lost; or
    removed, if the record was, up to that revision.
    `revision`: the one that it got, None if it got none or that is not known.
    """

    key: str
    expected: int
    result: str
    revision: int | None = None
    began: float = 0.0
    ended: float = FOR_EVER


Line = (
    Settings
    | Account
    | Asked
    | Sent
    | Logged
    | Settled
    | Undeliverable
    | Skipped
    | LeftAlone
    | Disturbance
    | Flood
    | Refused
    | Malformed
    | Spoilt
    | Break
    | Erased
    | Remark
    | Voted
    | Kept
    | Act
    | Draft
    | Absent
    | Stored
    | Record
    | NoRecords
    | Acknowledged
    | Process
    | Update
    | Posted
    | Replied
    | Dead
    | GivenUp
)
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class History:
    lines: tuple[Line, ...]

    def of(self, kind: type[Kind]) -> Sequence[Kind]:
        """The lines of a kind, in their order."""
        return self._by_kind[kind]  # type: ignore[return-value] # what is filed under a kind is of it

    @property
    def settings(self) -> Settings:
        return next(iter(self.of(Settings)), Settings())

    @cached_property
    def _by_kind(self) -> dict[type, list[Line]]:
        found: dict[type, list[Line]] = defaultdict(list)
        for line in self.lines:
            found[type(line)].append(line)
        return found
