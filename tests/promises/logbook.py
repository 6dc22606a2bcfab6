"""What the userbot has logged of an account's chats."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.promises.history import History, Line
from tests.promises.lines.logged import LeftAlone, Logged, Settled, Skipped, Undeliverable

TAKEN_UP = ("asked", "queued", "joined")
Message = tuple[str, int]
"""Chat and message id."""


@dataclass
class Logbook:
    """By chat and message: what was asked of a model, when it was ignored as busy, and when it was settled.

    `joined`: with questions whose draft waits; `first`: in a chat without any. `collected`: when, and whether it began
    a burst (`collecting`) or went on with one. `doubtful`: what may have been answered before the store was lost.
    `refused`: when a rule of the owner's did. `outcomes`: how those were settled. By chat: when Telegram refused an
    answer for good. `owner_wrote`: when which message was taken for the owner's. `erased`: when which `/delete_history`
    was carried out. `unstored`: when what was not stored as it should be, or was `dropped`. `unheard`: what came when
    the bot was not to answer for the account. `repeated`: when what had been taken in came again. A killed process
    takes the lines with it that it had not written.
    """

    asked: dict[Message, list[float]] = field(default_factory=lambda: defaultdict(list))
    ignored: dict[Message, float] = field(default_factory=dict)
    refused: dict[Message, float] = field(default_factory=dict)
    settled: dict[Message, float] = field(default_factory=dict)
    joined: set[Message] = field(default_factory=set)
    first: set[Message] = field(default_factory=set)
    outcomes: dict[Message, set[str]] = field(default_factory=lambda: defaultdict(set))
    owner_wrote: dict[int, float] = field(default_factory=dict)
    collected: dict[Message, tuple[float, str]] = field(default_factory=dict)
    doubtful: set[Message] = field(default_factory=set)
    undeliverable: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    erased: dict[Message, float] = field(default_factory=dict)
    unstored: dict[Message, list[tuple[float, str]]] = field(default_factory=dict)
    unheard: set[Message] = field(default_factory=set)
    repeated: dict[Message, float] = field(default_factory=dict)

    def take(self, line: Logged) -> None:
        message = line.chat, line.message_id
        match line.effect:
            case "asked" | "queued" | "joined":
                self.asked[message].append(line.at)
                {"joined": self.joined, "asked": self.first}.get(line.effect, set()).add(message)
            case "owner_wrote" | "owner_took_over":
                self.owner_wrote.setdefault(line.message_id, line.at)
            case "doubtful":
                self.doubtful.add(message)
            case "collecting" | "collected":
                self.collected.setdefault(message, (line.at, line.effect))
            case "deleted":
                self.erased.setdefault(message, line.at)
            case "paused" | "refused_person":
                self.refused.setdefault(message, line.at)
            case "dropped" | "not_stored":
                self.unstored.setdefault(message, []).append((line.at, line.effect))
            case "duplicate":
                self.repeated.setdefault(message, line.at)
            case "no_right" | "ended":
                self.unheard.add(message)
            case "ignored_busy":
                self.ignored.setdefault(message, line.at)

    def settle(self, line: Settled) -> None:
        message = line.chat, line.message_id
        self.settled.setdefault(message, line.at)
        self.outcomes[message].add(line.outcome)
        self.doubtful.update([message] if line.outcome == "doubtful" else [])


def logbook(history: History, account: str) -> Logbook:
    book = Logbook()
    for line in (line for line in history.of(Logged) if line.account == account):
        book.take(line)
    for settled in (line for line in history.of(Settled) if line.account == account):
        book.settle(settled)
    for refused in (line for line in history.of(Undeliverable) if line.account == account):
        book.undeliverable[refused.chat].append(refused.at)
    return book


def line_of(account: str, entry: Mapping[str, Any], at: float) -> Line | None:
    """A line of the userbot's log as one of a history, None if it does not matter there."""
    match entry["event"]:
        case "message.received" | "message.dropped" | "message.not_stored":
            effect = entry.get("effect") or entry["event"].removeprefix("message.")
            return Logged(account, str(entry["chat"]), int(entry["message"]), str(effect), at)
        case "question.settled":
            _, chat, message, _ = entry["request_id"].split(".")
            return Settled(account, chat, int(message), entry["outcome"], at)
        case "message.undeliverable" if entry["part"] != "thinking":
            return Undeliverable(account, entry["chat"], at)
        case "driver.gave_up":
            return Skipped(account, entry["chat"], entry["step"], at)
        case "group.left_alone":
            return LeftAlone(account, entry["chat"], at)
    return None
