"""The owner's settings for conversations, and their defaults."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, timedelta, tzinfo
from typing import Literal

from edge.userbot.chat.policy import UNDECIDED, Policy
from edge.userbot.chat_tokens import ChatToken, is_chat_token, is_group
from edge.userbot.delays import NO_DELAY, Delay
from edge.userbot.people import NO_LIST, People, Person
from edge.userbot.quiet_hours import QuietHours
from edge.userbot.triggers import NO_TRIGGERS, Triggers

DEFAULT_PREFIX = "Тимоха,"
MAX_DEBOUNCE = timedelta(minutes=1)
"""A burst is not collected for longer, so a longer pause between two messages would count for nothing."""

Approve = Literal["off", "all", "new", "listed"]
"""Whose answers are sent only if the owner approves them."""


@dataclass(frozen=True, slots=True)
class Override:
    """The owner's settings for one person; None where those for everyone count.

    `only_locale`: the language of every message to this person, whatever theirs is.
    """

    persona: str | None = None
    only_locale: str | None = None
    prefix: str | None = None
    max_new_tokens: int | None = None
    live: bool | None = None
    approve: Approve | None = None
    triggers: Triggers | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what becomes of a message.

    `locale`: for users whose language has no texts. `live`: show answers while they are written.
    `max_answers`: in a chat and minute, 0 for no limit. `names`: the account's usernames in lower case.
    `owner_pause`: how long a chat gets no answers after its owner has written there.
    `persona`: who answers, for the model. `max_new_tokens`: of an answer, None for the sampling settings.
    `approve_list`: whose answers need approval with `approve="listed"`. `approve_for`: how long a draft waits for the
    owner's decision. `approve_expired`: what becomes of an answer that was not decided by then.
    `overrides`: settings for one person, by id or `@username` in lower case. `only_locale`: see `Override`.
    `allow`: who is answered, everyone if it is empty; `deny`: who is not, even if allowed. `refused`: what those get
    who are not answered because of a rule. `max_answers_per_day`: in a chat, `max_answers_per_day_for_all`: in all
    chats, `max_without_prefix`: in a chat and hour, to messages without the prefix; 0 for no limit. Days and
    `quiet_hours` are those of `time_zone`. `policy`: what the owner has decided by commands, as it is when a message is
    taken in. `answer_groups`: answer in groups; `groups`: in these only, if there are any. `triggers`: which messages
    without the prefix are answered; in groups only in `groups`. `debounce`: how long such messages of one person are
    collected after the last one; `delay`: how long their answer waits at least. `repeat_window`: the same text again
    within it gets no second answer. `thinking`: what shows that a question was taken up. `feedback`: keep readers'
    votes on answers.
    """

    prefix: str = DEFAULT_PREFIX
    when_busy: Literal["ignore", "queue"] = "ignore"
    deadline: timedelta = timedelta(seconds=120)
    catch_up_window: timedelta = timedelta(minutes=10)
    locale: str = "ru"
    live: bool = False
    max_answers: int = 20
    names: Set[str] = frozenset()
    owner_pause: timedelta = timedelta(minutes=10)
    persona: str = ""
    max_new_tokens: int | None = None
    approve: Approve = "off"
    approve_list: People = NO_LIST
    approve_for: timedelta = timedelta(hours=1)
    approve_expired: Literal["drop", "send"] = "drop"
    only_locale: str | None = None
    overrides: Mapping[str, Override] = field(default_factory=dict)
    allow: People = NO_LIST
    deny: People = NO_LIST
    refused: Literal["silence", "line"] = "silence"
    max_answers_per_day: int = 0
    max_answers_per_day_for_all: int = 0
    quiet_hours: tuple[QuietHours, ...] = ()
    time_zone: tzinfo = UTC
    feedback: bool = False
    policy: Policy = UNDECIDED
    answer_groups: bool = False
    groups: People = NO_LIST
    triggers: Triggers = NO_TRIGGERS
    debounce: timedelta = timedelta(seconds=1.5)
    delay: Delay = NO_DELAY
    repeat_window: timedelta = timedelta(minutes=1)
    max_without_prefix: int = 60
    thinking: Literal["line", "reaction", "typing"] = "line"

    def lists_group(self, chat: str) -> bool:
        """Return whether the owner has listed a group, or the one of which it is a topic."""
        return self.groups.names_chat(chat)

    @property
    def supergroups(self) -> Set[str]:
        """Return the supergroups that the owner has listed, also those of which only a topic is listed."""
        tokens = (ChatToken.parse(entry) for entry in self.groups.entries if is_chat_token(entry))
        return {token.without_topic for token in tokens if token.is_supergroup}

    def answers_in(self, chat: str) -> bool:
        """Return whether questions with the prefix are answered in a chat."""
        return not is_group(chat) or self.lists_group(chat) or (self.answer_groups and not self.groups)

    def for_person(self, person: Person) -> "Rules":
        """Return the rules with what is set for this person; what is set for the id wins over a username."""
        names = [*(f"@{name}" for name in sorted(person.usernames)), *([person.id] if person.id else [])]
        chosen: dict[str, object] = {}
        for override in (self.overrides[name] for name in names if name in self.overrides):
            values = {one.name: getattr(override, one.name) for one in fields(override)}
            chosen |= {name: value for name, value in values.items() if value is not None}
        return replace(self, **chosen) if chosen else self  # type: ignore[arg-type]


DEFAULTS = Rules()
