"""The rules that decide who is answered, and when: pure functions, in the order in which they are asked.

None of them lets a clock that was set back silence anybody for ever.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from edge.userbot.chat.commands import Collect, fold
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.policy import answers_of, is_within
from edge.userbot.chat.policy import is_paused as are_all_paused
from edge.userbot.chat.record import MAX_HEARD, Burst, ChatRecord, Heard, Rate
from edge.userbot.people import People, Person
from edge.userbot.quiet_hours import is_quiet
from edge.userbot.rules import Rules

MINUTE = timedelta(minutes=1)
SILENCE = timedelta(minutes=5)
"""How long a chat gets no answers after too many. Commands are still answered."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Case:
    """A question, a bare prefix or a message without the prefix, of a person who is answered."""

    record: ChatRecord
    message: Incoming
    rules: Rules
    now: datetime


def is_allowed(person: Person, chat: str, rules: Rules) -> bool:
    """Return whether the person is answered: what a command has decided wins over the settings, and deny over allow.

    Where it is not known whether they wrote first, a list of the denied includes them, one of the allowed does not.
    """
    policy = rules.policy
    if People.of(policy.denied).may_include(person, chat):
        return False
    if People.of(policy.allowed).includes(person, chat):
        return True
    if rules.deny.may_include(person, chat):
        return False
    return not rules.allow or rules.allow.includes(person, chat)


def is_paused(case: Case) -> bool:
    """Return whether the chat is paused, or all chats are."""
    record, now = case.record, case.now
    return are_all_paused(case.rules.policy, now) or is_within(record.paused_since, record.paused_until, now)


def is_quiet_hour(case: Case) -> bool:
    """Return whether it is one of the owner's quiet hours."""
    return is_quiet(case.rules.quiet_hours, case.now.astimezone(case.rules.time_zone))


def is_silent(case: Case) -> bool:
    """Return whether the chat's silence after too many answers lasts."""
    since = case.record.rate.silent_since
    return since is not None and not has_passed(since, case.now, SILENCE)


def is_minute_full(case: Case) -> bool:
    """Return whether the chat has had its answers of the minute."""
    rate, limit = case.record.rate, case.rules.max_answers
    return 0 < limit <= rate.answers and not _is_minute_over(rate, case.now)


def is_hour_full(case: Case) -> bool:
    """Return whether the chat has had its answers of the hour to messages without the prefix."""
    rate, limit = case.record.rate, case.rules.max_without_prefix
    full = 0 < limit <= rate.without_prefix and not _is_hour_over(rate, case.now)
    return full and isinstance(case.message.command, Collect)


def is_repeated(case: Case) -> bool:
    """Return whether the sender has written the same without the prefix, and had an answer, a moment ago."""
    message, window = case.message, case.rules.repeat_window
    if not isinstance(message.command, Collect):
        return False
    digest = _digest(message.author, message.command.text)
    return any(heard.digest == digest and not has_passed(heard.at, case.now, window) for heard in case.record.heard)


def remember(heard: tuple[Heard, ...], burst: Burst, now: datetime) -> tuple[Heard, ...]:
    """Return `heard` with the texts of a burst that gets an answer."""
    texts = (Heard(digest=_digest(burst.sender, piece.text), at=now) for piece in burst.pieces)
    return (*heard, *texts)[-MAX_HEARD:]


def is_day_full(case: Case) -> bool:
    """Return whether the chat has had its answers of the day."""
    rate, limit = case.record.rate, case.rules.max_answers_per_day
    return 0 < limit <= rate.today and rate.day == day_of(case.rules, case.now)


def is_day_of_all_full(case: Case) -> bool:
    """Return whether all chats together have had their answers of the day, and none is reserved for this one."""
    policy, limit = case.rules.policy, case.rules.max_answers_per_day_for_all
    full = 0 < limit <= answers_of(policy, day_of(case.rules, case.now))
    return full and str(case.message.request_id) not in policy.counted


def day_of(rules: Rules, now: datetime) -> str:
    """Return the owner's date."""
    return now.astimezone(rules.time_zone).date().isoformat()


def count_answer(rate: Rate, now: datetime) -> Rate:
    """Return `rate` with one more answer in the minute."""
    return rate.having(since=now, answers=1) if _is_minute_over(rate, now) else rate.having(answers=rate.answers + 1)


def count_answer_of_day(rate: Rate, day: str) -> Rate:
    """Return `rate` with one more answer on `day`."""
    return rate.having(day=day, today=1 + (rate.today if rate.day == day else 0))


def count_without_prefix(rate: Rate, now: datetime) -> Rate:
    """Return `rate` with one more answer to a message without the prefix in the hour."""
    if _is_hour_over(rate, now):
        return rate.having(hour_since=now, without_prefix=1)
    return rate.having(without_prefix=rate.without_prefix + 1)


def may_refuse_aloud(record: ChatRecord, rules: Rules, now: datetime) -> bool:
    """Return whether the chat gets a line that there is no answer: at most one a day."""
    return rules.refused == "line" and (record.refused_at is None or has_passed(record.refused_at, now, DAY))


def has_passed(since: datetime, now: datetime, period: timedelta) -> bool:
    """Return whether `period` has passed, also if the clock was set back to before `since`."""
    return not timedelta(0) <= now - since < period


def _is_minute_over(rate: Rate, now: datetime) -> bool:
    return rate.since is None or has_passed(rate.since, now, MINUTE)


def _is_hour_over(rate: Rate, now: datetime) -> bool:
    return rate.hour_since is None or has_passed(rate.hour_since, now, HOUR)


def _digest(author: str, text: str) -> str:
    """Return what tells a text and its author from others, however it is written."""
    return sha256(f"{author} {fold(text)}".encode(errors="replace")).hexdigest()[:16]
