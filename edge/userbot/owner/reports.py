"""What `/status`, `/queue`, `/limits` and the lists of people show: pure functions. What users wrote is quoted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from edge.userbot import phrases as chat_phrases
from edge.userbot.chat import admission
from edge.userbot.chat import policy as policies
from edge.userbot.chat.bursts import question_of
from edge.userbot.chat.record import ChatRecord, Question
from edge.userbot.formatting.messages import MAX_MESSAGE
from edge.userbot.owner import phrases
from edge.userbot.quiet_hours import is_quiet
from edge.userbot.rules import Rules
from edge.userbot.text import clean, strip_invisible

MAX_QUOTED, MAX_NAME = 60, 40
"""Characters shown of a question and of a name."""
MAX_PAUSED_SHOWN = 10
MAX_LISTED = 900
"""Characters of a list of people: four of them fit into one message."""
ELLIPSIS = "…"
_SLASH = "\u2215"
"""In place of `/` in what users wrote: Telegram's apps make a link of a command that sends it."""


@dataclass(frozen=True, slots=True)
class _Words:
    running: str
    paused: str
    paused_for_flood: str
    paused_as_unreadable: str
    quiet: str
    quiet_now: str
    in_work: str
    paused_chats: str
    paused_chat: str
    answers_today: str
    no_questions: str
    questions: str
    question: str
    unnamed: str
    asking: str
    delivering: str
    awaiting_approval: str
    waiting: str
    more: str
    limits: str
    per_minute: str
    per_day: str
    per_day_for_all: str
    no_limit: str
    quiet_hours: str
    none: str
    everyone: str
    answered: str
    not_answered: str
    by_settings: str
    by_commands: str


_RUSSIAN = _Words(
    running="Отвечаю.",
    paused="Пауза: никому не отвечаю {until}.",
    paused_for_flood="Telegram счёл аккаунт спамером: никому не отвечаю {until}. Снять паузу: /resume",
    paused_as_unreadable="Запись с паузами и списками не читается: никому не отвечаю. Начать её заново: /resume",
    quiet="Тихие часы: {hours} ({zone}).",
    quiet_now="Тихие часы: {hours} ({zone}) — они идут.",
    in_work="Готовлю ответов: {asking}. Ждут очереди: {waiting}. Ждут вашего решения: {drafts}.",
    paused_chats="Чатов на паузе: {count}",
    paused_chat="{chat} — {until}",
    answers_today="Ответов сегодня: {count}.",
    no_questions="Вопросов в работе нет.",
    questions="Вопросов в работе: {count}",
    question="{who}: «{text}» — {state}",
    unnamed="чат {chat}",
    asking="готовлю ответ",
    delivering="отправляю ответ",
    awaiting_approval="ждёт вашего решения",
    waiting="ждёт очереди",
    more="… и ещё {count}",
    limits="Ограничения:",
    per_minute="ответов в чате за минуту: {limit}",
    per_day="ответов в чате за день: {limit}",
    per_day_for_all="ответов за день во всех чатах: {limit}, сегодня было {used}",
    no_limit="без ограничения",
    quiet_hours="тихие часы: {hours}",
    none="нет",
    everyone="все остальные",
    answered="Отвечаю:",
    not_answered="Не отвечаю:",
    by_settings="по настройкам: {who}",
    by_commands="по командам: {who}",
)

_ENGLISH = _Words(
    running="I answer.",
    paused="Paused: I answer no one {until}.",
    paused_for_flood="Telegram took the account for a spammer: I answer no one {until}. End the pause with /resume",
    paused_as_unreadable="I can't read the record of pauses and lists, so I answer no one. /resume starts it afresh",
    quiet="Quiet hours: {hours} ({zone}).",
    quiet_now="Quiet hours: {hours} ({zone}), now.",
    in_work="Being answered: {asking}. Waiting: {waiting}. For you to approve: {drafts}.",
    paused_chats="Paused chats: {count}",
    paused_chat="{chat} {until}",
    answers_today="Answers today: {count}.",
    no_questions="There are no questions in work.",
    questions="Questions in work: {count}",
    question="{who}: “{text}”, {state}",
    unnamed="chat {chat}",
    asking="being answered",
    delivering="being sent",
    awaiting_approval="for you to approve",
    waiting="waiting",
    more="… and {count} more",
    limits="Limits:",
    per_minute="answers in a chat and minute: {limit}",
    per_day="answers in a chat and day: {limit}",
    per_day_for_all="answers a day in all chats: {limit}, {used} so far today",
    no_limit="no limit",
    quiet_hours="quiet hours: {hours}",
    none="none",
    everyone="everyone else",
    answered="I answer:",
    not_answered="I don't answer:",
    by_settings="by the settings: {who}",
    by_commands="by commands: {who}",
)

_LANGUAGES = {"ru": _RUSSIAN, "en": _ENGLISH}


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
    words = _words(rules)
    lines = [f"Timokha {version}", _pause(rules, now)]
    if rules.quiet_hours:
        text = words.quiet_now if is_quiet(rules.quiet_hours, now.astimezone(rules.time_zone)) else words.quiet
        lines.append(text.format(hours=_hours(rules), zone=rules.time_zone))
    states = [record.current.state for record in records.values() if record.current]
    drafts = states.count("awaiting_approval")
    waiting = sum(len(record.waiting) + len(record.bursts) for record in records.values())
    lines.append(words.in_work.format(asking=len(states) - drafts, waiting=waiting, drafts=drafts))
    today = admission.day_of(rules, now)
    answers = sum(record.rate.today for record in records.values() if record.rate.day == today)
    lines.append(words.answers_today.format(count=answers))
    return "\n".join([*lines, *_paused_chats(records, rules, now)])


def queue(records: Mapping[str, ChatRecord], rules: Rules) -> str:
    """Return the questions that have no complete outcome, the oldest first, in one message."""
    words = _words(rules)
    found = [asked for chat, record in records.items() for asked in _questions(chat, record, words)]
    rows = [row for _, row in sorted(found)]
    if not rows:
        return words.no_questions
    head = words.questions.format(count=len(rows))
    return "\n".join([head, *_that_fit(rows, words, room=MAX_MESSAGE - len(head) - 1)])


def limits(rules: Rules, now: datetime) -> str:
    """Return the limits in force, and what of the day's is used."""
    words = _words(rules)
    used = policies.answers_of(rules.policy, admission.day_of(rules, now))
    for_all = words.per_day_for_all if rules.max_answers_per_day_for_all else words.per_day_for_all.partition(",")[0]
    lines = [
        words.per_minute.format(limit=_limit(rules.max_answers, words)),
        words.per_day.format(limit=_limit(rules.max_answers_per_day, words)),
        for_all.format(limit=_limit(rules.max_answers_per_day_for_all, words), used=used),
        words.quiet_hours.format(hours=f"{_hours(rules)} ({rules.time_zone})" if rules.quiet_hours else words.none),
    ]
    return "\n".join([words.limits, *(f"• {line}" for line in lines)])


def people(rules: Rules) -> str:
    """Return who is answered and who is not, by the settings and by commands."""
    words, policy = _words(rules), rules.policy
    allowed = rules.allow.entries or [words.everyone]
    rows = [
        words.answered,
        words.by_settings.format(who=_names(allowed, words)),
        words.by_commands.format(who=_names(policy.allowed, words)),
        words.not_answered,
        words.by_settings.format(who=_names(rules.deny.entries, words)),
        words.by_commands.format(who=_names(policy.denied, words)),
    ]
    return "\n".join(row if row.endswith(":") else f"• {row}" for row in rows)


def quote(text: str, length: int) -> str:
    """Return the start of what a user wrote on one line, in which nothing is a command."""
    line = " ".join(strip_invisible(clean(text)).split()).replace("/", _SLASH)
    return line if len(line) <= length else line[: length - 1].rstrip() + ELLIPSIS


def _pause(rules: Rules, now: datetime) -> str:
    words, policy = _words(rules), rules.policy
    if not policies.is_paused(policy, now) or policy.paused_until is None:
        return words.running
    if policy.paused_by == policies.UNREADABLE:
        return words.paused_as_unreadable
    text = words.paused_for_flood if policy.paused_by == policies.BY_FLOOD else words.paused
    return text.format(until=_until(policy.paused_until, rules, now))


def _paused_chats(records: Mapping[str, ChatRecord], rules: Rules, now: datetime) -> Iterable[str]:
    words = _words(rules)
    paused = [
        words.paused_chat.format(chat=_who(chat, record, words), until=_until(record.paused_until, rules, now))
        for chat, record in sorted(records.items())
        if record.paused_until and policies.is_within(record.paused_since, record.paused_until, now)
    ]
    if paused:
        yield words.paused_chats.format(count=len(paused))
        yield from (f"• {row}" for row in paused[:MAX_PAUSED_SHOWN])
        if more := paused[MAX_PAUSED_SHOWN:]:
            yield words.more.format(count=len(more))


def _questions(chat: str, record: ChatRecord, words: _Words) -> Iterable[tuple[datetime, str]]:
    """Yield when each question of a chat was asked, and its row."""
    states = {
        "asking": words.asking,
        "delivering": words.delivering,
        "awaiting_approval": words.awaiting_approval,
    }
    if record.current:
        question = record.current.question
        yield question.asked_at, _question(chat, question, words, states[record.current.state])
    for question in (*record.waiting, *map(question_of, record.bursts)):
        yield question.asked_at, _question(chat, question, words, words.waiting)


def _question(chat: str, question: Question, words: _Words, state: str) -> str:
    who = quote(question.asker, MAX_NAME)
    who = f"{who}, {chat}" if who else words.unnamed.format(chat=chat)
    return "• " + words.question.format(who=who, text=quote(question.text, MAX_QUOTED), state=state)


def _who(chat: str, record: ChatRecord, words: _Words) -> str:
    asker = record.current.question.asker if record.current else ""
    return f"{quote(asker, MAX_NAME)}, {chat}" if asker else words.unnamed.format(chat=chat)


def _that_fit(rows: list[str], words: _Words, *, room: int) -> Iterable[str]:
    """Yield the rows for which there is room, in UTF-16 units, and how many more there are."""
    reserve = len(words.more) + len(str(len(rows)))
    for number, row in enumerate(rows):
        room -= len(row.encode("utf-16-le")) // 2 + 1
        if (room < reserve and number < len(rows) - 1) or room < 0:
            yield words.more.format(count=len(rows) - number)
            return
        yield row


def _until(end: datetime, rules: Rules, now: datetime) -> str:
    return phrases.until(rules.locale, end, since=now, zone=rules.time_zone)


def _hours(rules: Rules) -> str:
    return ", ".join(map(str, rules.quiet_hours))


def _limit(limit: int, words: _Words) -> str:
    return str(limit) if limit else words.no_limit


def _names(entries: Iterable[str], words: _Words) -> str:
    names = sorted(entries)
    listed = ", ".join(names)
    if len(listed) > MAX_LISTED:
        shown = listed[:MAX_LISTED].rpartition(", ")[0]
        listed = f"{shown} {words.more.format(count=len(names) - shown.count(', ') - 1)}"
    return listed or words.none


def _words(rules: Rules) -> _Words:
    return _LANGUAGES[chat_phrases.language(rules.locale)]
