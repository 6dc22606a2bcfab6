"""What `/status`, `/queue`, `/limits` and the lists of people show: pure functions. What users wrote is quoted."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from edge.userbot.chat import admission
from edge.userbot.chat import policy as policies
from edge.userbot.chat.bursts import question_of
from edge.userbot.chat.record import ChatRecord, Question
from edge.userbot.formatting.messages import MAX_MESSAGE, utf16_length
from edge.userbot.owner import phrases
from edge.userbot.quiet_hours import is_quiet
from edge.userbot.rules import Rules
from edge.userbot.text import clean, strip_invisible
from edge.userbot.texts.installed import say

MAX_QUOTED, MAX_NAME = 60, 40
"""Characters shown of a question and of a name."""
MAX_PAUSED_SHOWN = 10
MAX_LISTED = 900
"""Characters of a list of people: four of them fit into one message."""
ELLIPSIS = "…"
_SLASH = "\u2215"
"""In place of `/` in what users wrote: Telegram's apps make a link of a command that sends it."""
_STATES = {
    "asking": "queue-asking",
    "delivering": "queue-delivering",
    "awaiting_approval": "queue-awaiting-approval",
}
"""What is said of a question, by the state of its record."""


def noteworthy(record: ChatRecord, rules: Rules, now: datetime) -> bool:
    """Return whether `status` or `queue` says anything of a chat."""
    is_paused = policies.is_within(record.paused_since, record.paused_until, now)
    return bool(
        record.current
        or record.waiting
        or record.bursts
        or is_paused
        or record.rate.day == admission.day_of(rules, now)
    )


def status(records: Mapping[str, ChatRecord], rules: Rules, now: datetime, *, version: str) -> str:
    """Return pauses, quiet hours and counts. `records`: by chat, those that are `noteworthy`."""
    lines = [f"Timokha {version}", _pause(rules, now)]
    if rules.quiet_hours:
        is_now = is_quiet(rules.quiet_hours, now.astimezone(rules.time_zone))
        line = "status-quiet-now" if is_now else "status-quiet"
        lines.append(say(rules.locale, line, hours=_hours(rules), zone=str(rules.time_zone)))
    states = [record.current.state for record in records.values() if record.current]
    drafts = states.count("awaiting_approval")
    waiting = sum(len(record.waiting) + len(record.bursts) for record in records.values())
    lines.append(say(rules.locale, "status-in-work", asking=len(states) - drafts, waiting=waiting, drafts=drafts))
    today = admission.day_of(rules, now)
    answers = sum(record.rate.today for record in records.values() if record.rate.day == today)
    lines.append(say(rules.locale, "status-answers-today", count=answers))
    return "\n".join([*lines, *_paused_chats(records, rules, now)])


def queue(records: Mapping[str, ChatRecord], rules: Rules) -> str:
    """Return the questions that have no complete outcome, the oldest first, in one message."""
    locale = rules.locale
    found = [asked for chat, record in records.items() for asked in _questions(chat, record, locale)]
    rows = [row for _, row in sorted(found)]
    if not rows:
        return say(locale, "queue-empty")
    head = say(locale, "queue-questions", count=len(rows))
    return "\n".join([head, *_that_fit(rows, locale, room=MAX_MESSAGE - utf16_length(head) - 1)])


def limits(rules: Rules, now: datetime) -> str:
    """Return the limits in force, and what of the day's is used."""
    locale = rules.locale
    lines = [
        say(locale, "limits-per-minute", limit=rules.max_answers),
        say(locale, "limits-per-hour", limit=rules.max_without_prefix),
        say(locale, "limits-per-day", limit=rules.max_answers_per_day),
        _limit_for_all(rules, now),
        _quiet_hours(rules),
    ]
    return "\n".join([say(locale, "limits"), *(f"• {line}" for line in lines)])


def people(rules: Rules) -> str:
    """Return who is answered and who is not, by the settings and by commands."""
    locale, policy = rules.locale, rules.policy
    allowed = rules.allow.entries or [say(locale, "people-everyone-else")]
    rows = [
        say(locale, "people-answered"),
        f"• {say(locale, 'people-by-settings', people=_names(allowed, locale))}",
        f"• {say(locale, 'people-by-commands', people=_names(policy.allowed, locale))}",
        say(locale, "people-not-answered"),
        f"• {say(locale, 'people-by-settings', people=_names(rules.deny.entries, locale))}",
        f"• {say(locale, 'people-by-commands', people=_names(policy.denied, locale))}",
    ]
    return "\n".join(rows)


def quote(text: str, length: int) -> str:
    """Return the start of what a user wrote on one line, in which nothing is a command."""
    line = " ".join(strip_invisible(clean(text)).split()).replace("/", _SLASH)
    return line if len(line) <= length else line[: length - 1].rstrip() + ELLIPSIS


def _pause(rules: Rules, now: datetime) -> str:
    policy = rules.policy
    if not policies.is_paused(policy, now) or policy.paused_until is None:
        return say(rules.locale, "status-running")
    if policy.paused_by == policies.UNREADABLE:
        return say(rules.locale, "status-paused-as-unreadable")
    line = "status-paused-for-flood" if policy.paused_by == policies.BY_FLOOD else "status-paused"
    return say(rules.locale, line, until=_until(policy.paused_until, rules, now))


def _paused_chats(records: Mapping[str, ChatRecord], rules: Rules, now: datetime) -> Iterable[str]:
    locale = rules.locale
    paused = [
        say(locale, "status-paused-chat", who=_who(chat, record, locale), until=_until(record.paused_until, rules, now))
        for chat, record in sorted(records.items())
        if record.paused_until and policies.is_within(record.paused_since, record.paused_until, now)
    ]
    if paused:
        yield say(locale, "status-paused-chats", count=len(paused))
        yield from (f"• {row}" for row in paused[:MAX_PAUSED_SHOWN])
        if more := paused[MAX_PAUSED_SHOWN:]:
            yield say(locale, "status-more-chats", count=len(more))


def _questions(chat: str, record: ChatRecord, locale: str) -> Iterable[tuple[datetime, str]]:
    """Yield when each question of a chat was asked, and its row."""
    if record.current:
        question = record.current.question
        yield question.asked_at, _question(chat, question, locale, say(locale, _STATES[record.current.state]))
    for question in (*record.waiting, *map(question_of, record.bursts)):
        yield question.asked_at, _question(chat, question, locale, say(locale, "queue-waiting"))


def _question(chat: str, question: Question, locale: str, state: str) -> str:
    who = _named(question.asker, chat, locale)
    return "• " + say(locale, "queue-question", who=who, text=quote(question.text, MAX_QUOTED), state=state)


def _who(chat: str, record: ChatRecord, locale: str) -> str:
    return _named(record.current.question.asker if record.current else "", chat, locale)


def _named(asker: str, chat: str, locale: str) -> str:
    name = quote(asker, MAX_NAME)
    return f"{name}, {chat}" if name else say(locale, "queue-unnamed", chat=chat)


def _that_fit(rows: list[str], locale: str, *, room: int) -> Iterable[str]:
    """Yield the rows for which there is room, in UTF-16 units, and how many more there are."""
    reserve = utf16_length(say(locale, "queue-more", count=len(rows)))
    for number, row in enumerate(rows):
        room -= utf16_length(row) + 1
        if (room < reserve and number < len(rows) - 1) or room < 0:
            yield say(locale, "queue-more", count=len(rows) - number)
            return
        yield row


def _until(end: datetime, rules: Rules, now: datetime) -> str:
    return phrases.until(rules.locale, end, since=now, zone=rules.time_zone)


def _hours(rules: Rules) -> str:
    return ", ".join(map(str, rules.quiet_hours))


def _limit_for_all(rules: Rules, now: datetime) -> str:
    limit = rules.max_answers_per_day_for_all
    if not limit:
        return say(rules.locale, "limits-none-per-day-for-all")
    used = policies.answers_of(rules.policy, admission.day_of(rules, now))
    return say(rules.locale, "limits-per-day-for-all", limit=limit, used=used)


def _quiet_hours(rules: Rules) -> str:
    if not rules.quiet_hours:
        return say(rules.locale, "limits-no-quiet-hours")
    return say(rules.locale, "limits-quiet-hours", hours=_hours(rules), zone=str(rules.time_zone))


def _names(entries: Iterable[str], locale: str) -> str:
    names = sorted(entries)
    listed = ", ".join(names)
    if len(listed) > MAX_LISTED:
        shown = listed[:MAX_LISTED].rpartition(", ")[0]
        listed = f"{shown} {say(locale, 'people-more', count=len(names) - shown.count(', ') - 1)}"
    return listed or say(locale, "people-none")
