"""Transitions of a chat record after a user's message, and their effects: pure functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from edge.userbot import phrases
from edge.userbot.chat import admission
from edge.userbot.chat.approval import join, needs_approval
from edge.userbot.chat.commands import (
    Ask,
    AskHint,
    Command,
    DeleteHistory,
    Help,
    SetContextLength,
    parse,
    parse_context_length,
)
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.own_messages import add_notice, forget_current
from edge.userbot.chat.record import (
    MAX_QUESTION_BYTES,
    MAX_SEEN,
    MAX_WAITING,
    ChatRecord,
    ChatSettings,
    Current,
    Notice,
    Question,
    ask,
    truncate,
)
from edge.userbot.people import Person
from edge.userbot.rules import Rules

HELP_INTERVAL = timedelta(seconds=5)
"""At most one `/help` is answered in this time."""


class Effect(StrEnum):
    """What became of a message."""

    SILENT = "silent"
    DUPLICATE = "duplicate"
    TOO_OLD = "too_old"
    ASKED = "asked"
    QUEUED = "queued"
    JOINED = "joined"
    """An answer awaits the owner's approval: it is asked together with that question."""
    IGNORED_BUSY = "ignored_busy"
    CANCELLED = "cancelled"
    """It is older than the chat's last `/delete_history`."""
    ANSWERED_BEFORE = "answered_before"
    """The chat has its answer, from before a backup was restored."""
    UNREADABLE = "unreadable"
    """The chat's record can't be read; the user gets one line about that, once."""
    REFUSED = "refused"
    """The question can't be stored; the user gets one line about that."""
    TOO_MANY = "too_many"
    """It exceeds the limit of answers: the chat's silence begins."""
    SILENCED = "silenced"
    """It came in that silence."""
    REFUSED_PERSON = phrases.REFUSED_PERSON
    """The owner does not want its sender answered."""
    DELETED_SILENTLY = "deleted_silently"
    """Such a person's `/delete_history` was carried out, without a word."""
    PAUSED = "paused"
    """The owner has paused the chat, or all chats are paused."""
    QUIET_HOURS = phrases.QUIET_HOURS
    DAY_LIMIT = phrases.DAY_LIMIT
    """The chat has had its answers of the day."""
    DAY_LIMIT_FOR_ALL = "day_limit_for_all"
    """All chats together have had theirs."""
    HINTED = "hinted"
    HELPED = "helped"
    HELP_SUPPRESSED = "help_suppressed"
    DELETED = "deleted"
    SET = "set"
    REFUSED_ARGUMENT = "refused_argument"
    OWN = "own"
    """It is one of ours."""
    OWNER_WROTE = "owner_wrote"
    """The owner wrote: the chat is paused."""
    OWNER_TOOK_OVER = "owner_took_over"
    """The owner wrote before a question had its outcome: it gets none."""
    QUESTION_DELETED = "question_deleted"
    """Its author, or the owner, has deleted it before it had its outcome: it gets none."""
    ORDERED = "ordered"
    """It is an order of the owner's, in their own chat."""
    TOO_MANY_ORDERS = "too_many_orders"
    """There is no room for it: the owner gets one line about that."""


ANSWERED = {
    Effect.ASKED,
    Effect.QUEUED,
    Effect.JOINED,
    Effect.HINTED,
    Effect.HELPED,
    Effect.DELETED,
    Effect.SET,
    Effect.REFUSED_ARGUMENT,
}
BY_RULE = {
    Effect.TOO_MANY,
    Effect.SILENCED,
    Effect.REFUSED_PERSON,
    Effect.PAUSED,
    Effect.QUIET_HOURS,
    Effect.DAY_LIMIT,
    Effect.DAY_LIMIT_FOR_ALL,
}
"""There is no answer because of a rule of the owner's."""
REFUSALS = {
    Effect.REFUSED_PERSON: phrases.REFUSED_PERSON,
    Effect.QUIET_HOURS: phrases.QUIET_HOURS,
    Effect.DAY_LIMIT: phrases.DAY_LIMIT,
    Effect.DAY_LIMIT_FOR_ALL: phrases.DAY_LIMIT,
}
"""What the user may be told about that."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The record to store, the given one if nothing changes, and the effect to count.

    `dropped`: questions that get no outcome because of it.
    """

    record: ChatRecord
    effect: Effect
    dropped: tuple[Question, ...] = ()


def receive(record: ChatRecord, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Take in a message. One that is a duplicate or not for the bot changes nothing."""
    command = message.command or parse(message.text, rules.prefix, rules.names)
    if command is None:
        return Decision(record, Effect.SILENT)
    if message.message_id in record.seen:
        return Decision(record, Effect.DUPLICATE)
    if message.message_id <= record.deleted_to:
        return Decision(record, Effect.CANCELLED)
    record = record.having(seen=(*record.seen, message.message_id)[-MAX_SEEN:])
    too_old = now - message.date > rules.catch_up_window
    if message.answered or (too_old and message.before_restore and isinstance(command, DeleteHistory)):
        return _carry_out_silently(record, command, message, rules, now)
    if too_old:
        return Decision(record, Effect.TOO_OLD)
    return _admit(record, command, message, rules, now)


HELD_BACK: Sequence[tuple[Callable[[admission.Case], bool], Effect]] = (
    (admission.is_paused, Effect.PAUSED),
    (admission.is_quiet_hour, Effect.QUIET_HOURS),
    (admission.is_silent, Effect.SILENCED),
    (admission.is_minute_full, Effect.TOO_MANY),
    (admission.is_day_full, Effect.DAY_LIMIT),
    (admission.is_day_of_all_full, Effect.DAY_LIMIT_FOR_ALL),
)
"""Why a question of an allowed person gets no answer now: the first rule that applies."""


def _admit(record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Carry out a command, or take in a question, unless a rule of the owner's is against it."""
    record, sender = _with_sender(record, message)
    if not admission.is_allowed(sender, message.chat, rules):
        return _turn_away(record, command, message, rules, now)
    if isinstance(command, Ask | AskHint):
        case = admission.Case(record, message, rules, now)
        if effect := next((effect for applies, effect in HELD_BACK if applies(case)), None):
            return _hold_back(record, effect, message, rules, now)
    received = _carry_out(record, command, message, rules, now)
    return _count(received, command, rules, now) if received.effect in ANSWERED else received


def _with_sender(record: ChatRecord, message: Incoming) -> tuple[ChatRecord, Person]:
    """Return the record and the sender with whether they wrote first, as far as that was ever found out."""
    if record.wrote_first is not None:
        return record, replace(message.sender, wrote_first=record.wrote_first)
    if message.sender.wrote_first is not None:
        record = record.having(wrote_first=message.sender.wrote_first)
    return record, message.sender


def _turn_away(record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Answer nothing to a person whom the owner does not want answered, but forget what they want forgotten."""
    if not isinstance(command, DeleteHistory):
        return _hold_back(record, Effect.REFUSED_PERSON, message, rules, now)
    deleted = _carry_out(record, command, message, rules, now).record
    return Decision(deleted.having(notices=record.notices), Effect.DELETED_SILENTLY)


def _hold_back(record: ChatRecord, effect: Effect, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Do not answer; say so if the owner wants that, at most once a day."""
    if effect is Effect.TOO_MANY:
        record = record.having(rate=record.rate.having(since=None, answers=0, silent_since=now))
    if effect not in REFUSALS or not admission.may_refuse_aloud(record, rules, now):
        return Decision(record, effect)
    line = phrases.refusal(phrases.language(message.locale, rules.locale), REFUSALS[effect])
    return _reply(record.having(refused_at=now), message, line, effect)


def _count(received: Decision, command: Command, rules: Rules, now: datetime) -> Decision:
    """Count an answer in the minute, and in the day if it is to a question or the bare prefix."""
    rate = admission.count_answer(received.record.rate, now)
    if isinstance(command, Ask | AskHint):
        rate = admission.count_answer_of_day(rate, admission.day_of(rules, now))
    return Decision(received.record.having(rate=rate), received.effect)


def _carry_out_silently(
    record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime
) -> Decision:
    """Repeat a command's change, which the restored backup lacks, without answering it again."""
    if isinstance(command, Ask | AskHint):
        return Decision(record, Effect.ANSWERED_BEFORE)
    received = _carry_out(record, command, message, rules, now)
    return Decision(received.record.having(notices=record.notices), Effect.ANSWERED_BEFORE)


def receive_and_forget(record: ChatRecord, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Do as `receive` does but drop the history. If there is none to drop, refuse a question."""
    if not record.history:
        return refuse(record, message, rules, now, reason=phrases.TOO_LARGE)
    return _without_history(record, receive(record, message, rules, now))


def refuse(record: ChatRecord, message: Incoming, rules: Rules, now: datetime, *, reason: str) -> Decision:
    """Do as `receive` does but answer a question with one line: `phrases.failure` for `reason`."""
    received = receive(record, message, rules, now)
    if received.effect not in (Effect.ASKED, Effect.QUEUED, Effect.JOINED):
        return received
    line = phrases.failure(phrases.language(message.locale, rules.locale), reason)
    kept = record.having(seen=received.record.seen, rate=received.record.rate)
    return _reply(kept, message, line, Effect.REFUSED)


def refuse_and_forget(record: ChatRecord, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Do as `refuse` does but drop the history, for a record that has no room left."""
    return _without_history(record, refuse(record, message, rules, now, reason=phrases.INTERNAL))


def _without_history(record: ChatRecord, received: Decision) -> Decision:
    """Return `received` without the history, if there is anything to store."""
    if received.record is record:
        return received
    return Decision(received.record.having(history=()), received.effect)


def _carry_out(record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime) -> Decision:
    locale = phrases.language(message.locale, rules.locale)
    match command:
        case Ask(question):
            return _ask(record, question, message, rules, now)
        case AskHint():
            return _reply(record, message, phrases.hint(locale, rules.prefix), Effect.HINTED)
        case Help():
            return _help(record, message, phrases.help_text(locale, rules.prefix), now)
        case DeleteHistory():
            return _delete(record, message, locale)
        case SetContextLength(argument):
            return _set_context_length(record, message, locale, argument)


def _ask(record: ChatRecord, text: str, message: Incoming, rules: Rules, now: datetime) -> Decision:
    approve = needs_approval(record, message.sender, message.chat, rules)
    question = Question(
        message_id=message.message_id,
        text=truncate(text, MAX_QUESTION_BYTES),
        locale=phrases.language(message.locale, rules.locale),
        asked_at=now,
        trace=dict(message.trace),
        live=rules.live and not approve,
        doubtful=message.doubtful,
        asker=message.sender.title,
        approve=approve,
        persona=rules.persona,
        max_new_tokens=rules.max_new_tokens,
        speaker=message.speaker,
    )
    if record.current is None:
        current = ask(question, message.request_id, now + rules.deadline)
        return Decision(record.having(current=current), Effect.ASKED)
    if record.current.state == "awaiting_approval":
        return Decision(join(record, question, message.request_id, now + rules.deadline), Effect.JOINED)
    if len(record.waiting) >= _room(record.current, rules, now):
        return Decision(record, Effect.IGNORED_BUSY)
    return Decision(record.having(waiting=(*record.waiting, question)), Effect.QUEUED)


def _room(current: Current, rules: Rules, now: datetime) -> int:
    """Return how many questions may wait for `current`.

    If its user may have seen its outcome already, though the record lacks it, one more may wait.
    """
    if rules.when_busy == "queue":
        return MAX_WAITING
    return 1 if current.is_over(now) or current.question.doubtful else 0


def _help(record: ChatRecord, message: Incoming, text: str, now: datetime) -> Decision:
    # If the clock was set back, /help must not stay silent until it has caught up.
    if record.helped_at and timedelta(0) <= now - record.helped_at < HELP_INTERVAL:
        return Decision(record, Effect.HELP_SUPPRESSED)
    return _reply(record.having(helped_at=now), message, text, Effect.HELPED)


def _delete(record: ChatRecord, message: Incoming, locale: str) -> Decision:
    text = phrases.deleted(locale, cancelled=record.current is not None)
    record = forget_current(record).having(
        history=(), waiting=(), erasing=True, deleted_to=max(record.deleted_to, message.message_id)
    )
    return _reply(record, message, text, Effect.DELETED)


def _set_context_length(record: ChatRecord, message: Incoming, locale: str, argument: str) -> Decision:
    length = parse_context_length(argument)
    if length is None:
        return _reply(record, message, phrases.context_length_refused(locale), Effect.REFUSED_ARGUMENT)
    record = record.having(settings=ChatSettings(context_length=length))
    return _reply(record, message, phrases.context_length_set(locale, length), Effect.SET)


def _reply(record: ChatRecord, message: Incoming, text: str, effect: Effect) -> Decision:
    """Add a notice. Only so many are kept: a flood of commands must not swell the record if none can be sent."""
    return Decision(add_notice(record, Notice(message_id=message.message_id, text=text)), effect)
