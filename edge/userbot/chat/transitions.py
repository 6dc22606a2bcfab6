"""Transitions of a chat record after a user's message, and their effects: pure functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from edge.userbot import phrases
from edge.userbot.chat import admission
from edge.userbot.chat.approval import join, needs_approval
from edge.userbot.chat.bursts import add, begin, find_burst, find_piece, has_room
from edge.userbot.chat.commands import (
    Ask,
    AskHint,
    Collect,
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
    Burst,
    ChatRecord,
    ChatSettings,
    Current,
    Notice,
    Question,
    ask,
    truncate,
)
from edge.userbot.chat.triggering import draw, is_triggered, may_be_meant
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.text import clean, trim

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
    COLLECTING = "collecting"
    """It has no prefix and begins a burst."""
    COLLECTED = "collected"
    """It is one more piece of a burst."""
    IGNORED_BUSY = "ignored_busy"
    CANCELLED = "cancelled"
    """It is older than the chat's last `/delete_history`."""
    ANSWERED_BEFORE = "answered_before"
    """The chat has its answer, from before a backup was restored."""
    DOUBTFUL = "doubtful"
    """It has no prefix, and may have been answered: the records were lost or restored since, or do not reach so far."""
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
    HOUR_LIMIT = "hour_limit"
    """The chat has had its answers of the hour to messages without the prefix."""
    REPEATED = "repeated"
    """Its text was answered a moment ago."""
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
    RESTRICTED = "restricted"
    """It waited in a group in which Telegram takes no messages from the account: it gets no outcome."""
    QUESTION_DELETED = "question_deleted"
    """Its author, or the owner, has deleted it before it had its outcome: it gets none."""
    ORDERED = "ordered"
    """It is an order of the owner's, in their own chat."""
    TOO_MANY_ORDERS = "too_many_orders"
    """There is no room for it: the owner gets one line about that."""


ASKING = {Effect.ASKED, Effect.QUEUED, Effect.JOINED, Effect.COLLECTING, Effect.COLLECTED}
"""It is, or becomes part of, a question that gets an outcome."""
ANSWERED = {
    Effect.ASKED,
    Effect.QUEUED,
    Effect.JOINED,
    Effect.COLLECTING,
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
    Effect.HOUR_LIMIT,
    Effect.REPEATED,
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
    goes_on = find_burst(record, message.author) is not None
    command = message.command or hear(message, rules, goes_on=goes_on)
    if command is None or (isinstance(command, Collect) and not _is_meant(record, message, rules)):
        return Decision(record, Effect.SILENT)
    if message.message_id in record.seen or find_piece(record, message.message_id):
        return Decision(record, Effect.DUPLICATE)
    if message.message_id <= record.deleted_to:
        return Decision(record, Effect.CANCELLED)
    if isinstance(command, Collect) and _may_be_forgotten(record, message):
        return Decision(record, Effect.DOUBTFUL)
    record = record.having(seen=(*record.seen, message.message_id)[-MAX_SEEN:])
    return _take_new(record, command, replace(message, command=command), rules, now)


def _may_be_forgotten(record: ChatRecord, message: Incoming) -> bool:
    """Return whether a message may have been taken in and given way to newer ones: a busy group is read again so far.

    Then its burst may have been answered long ago.
    """
    return len(record.seen) >= MAX_SEEN and message.message_id < min(record.seen)


def _take_new(record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Take in a message that was not seen before."""
    if isinstance(command, Collect) and (message.doubtful or message.before_restore):
        return Decision(record, Effect.DOUBTFUL)
    too_old = now - message.date > rules.catch_up_window
    if message.answered or (too_old and message.before_restore and isinstance(command, DeleteHistory)):
        return _carry_out_silently(record, command, message, rules, now)
    if too_old:
        return Decision(record, Effect.TOO_OLD)
    return _admit(record, command, message, rules, now)


def hear(message: Incoming, rules: Rules, *, goes_on: bool = False) -> Command | None:
    """Return what a message asks of the account, None if nothing.

    `goes_on`: its sender may have begun a burst, of which it is a piece then whether or not a trigger applies.
    """
    if not rules.answers_in(message.chat):
        return None
    if command := parse(message.text, rules.prefix, rules.names):
        return command
    is_meant = may_be_meant(message, rules) if goes_on else is_triggered(message, rules)
    return Collect(trim(clean(message.text))) if is_meant else None


def _is_meant(record: ChatRecord, message: Incoming, rules: Rules) -> bool:
    """Return whether a message without the prefix follows in its sender's burst, or a trigger applies."""
    burst = find_burst(record, message.author)
    # One from before the burst is read again after a crash: no trigger applied then.
    follows = burst is not None and message.message_id > burst.pieces[0].message_id
    return may_be_meant(message, rules) if follows else is_triggered(message, rules, record)


HELD_BACK: Sequence[tuple[Callable[[admission.Case], bool], Effect]] = (
    (admission.is_paused, Effect.PAUSED),
    (admission.is_quiet_hour, Effect.QUIET_HOURS),
    (admission.is_silent, Effect.SILENCED),
    (admission.is_repeated, Effect.REPEATED),
    (admission.is_hour_full, Effect.HOUR_LIMIT),
    (admission.is_minute_full, Effect.TOO_MANY),
    (admission.is_day_full, Effect.DAY_LIMIT),
    (admission.is_day_of_all_full, Effect.DAY_LIMIT_FOR_ALL),
)
"""Why a question of an allowed person gets no answer now: the first rule that applies."""
HELD_BACK_FROM_BURST = HELD_BACK[:3]
"""Why a message does not become one more piece of a burst.

Limits were kept when that began, and a text that is repeated in a burst gets no second answer anyway.
"""


def _admit(record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Carry out a command, or take in a question, unless a rule of the owner's is against it."""
    record, sender = _with_sender(record, message)
    if not admission.is_allowed(sender, message.chat, rules):
        return _turn_away(record, command, message, rules, now)
    if isinstance(command, Ask | AskHint | Collect):
        case = admission.Case(record, message, rules, now)
        against = HELD_BACK_FROM_BURST if _burst_for(record, command, message) else HELD_BACK
        if effect := next((effect for applies, effect in against if applies(case)), None):
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
    # Who has not called the account by its prefix hears nothing of the owner's rules.
    may_say_so = effect in REFUSALS and not isinstance(message.command, Collect)
    if not may_say_so or not admission.may_refuse_aloud(record, rules, now):
        return Decision(record, effect)
    line = phrases.refusal(phrases.language(message.locale, rules.locale), REFUSALS[effect])
    return _reply(record.having(refused_at=now), message, line, effect)


def _count(received: Decision, command: Command, rules: Rules, now: datetime) -> Decision:
    """Count an answer in the minute, and in the day if it is to a question or the bare prefix."""
    rate = admission.count_answer(received.record.rate, now)
    if isinstance(command, Ask | AskHint | Collect):
        rate = admission.count_answer_of_day(rate, admission.day_of(rules, now))
    if isinstance(command, Collect):
        rate = admission.count_without_prefix(rate, now)
    return Decision(received.record.having(rate=rate), received.effect)


def _carry_out_silently(
    record: ChatRecord, command: Command, message: Incoming, rules: Rules, now: datetime
) -> Decision:
    """Repeat a command's change, which the restored backup lacks, without answering it again."""
    if isinstance(command, Ask | AskHint | Collect):
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
    if received.effect not in ASKING:
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
        case Collect(text):
            return _collect(record, text, message, rules, now)
        case AskHint():
            return _reply(record, message, phrases.hint(locale, rules.prefix), Effect.HINTED)
        case Help():
            return _help(record, message, phrases.help_text(locale, rules.prefix), now)
        case DeleteHistory():
            return _delete(record, message, locale)
        case SetContextLength(argument):
            return _set_context_length(record, message, locale, argument)


def _question(record: ChatRecord, text: str, message: Incoming, rules: Rules, now: datetime) -> Question:
    approve = needs_approval(record, message.sender, message.chat, rules)
    live = rules.live and not approve
    return Question(
        message_id=message.message_id,
        text=truncate(text, MAX_QUESTION_BYTES),
        locale=phrases.language(message.locale, rules.locale),
        asked_at=now,
        trace=dict(message.trace),
        live=live,
        doubtful=message.doubtful,
        asker=message.sender.title,
        approve=approve,
        persona=rules.persona,
        sign="" if rules.thinking == "line" or live or approve else rules.thinking,
        max_new_tokens=rules.max_new_tokens,
        speaker=message.speaker,
    )


def _ask(record: ChatRecord, text: str, message: Incoming, rules: Rules, now: datetime) -> Decision:
    question = _question(record, text, message, rules, now)
    if burst := _burst_for(record, message.command, message):
        return Decision(add(record, question, burst, rules, now=now, asks=True), Effect.COLLECTED)
    if record.current is None:
        current = ask(question, message.request_id, now + rules.deadline)
        return Decision(record.having(current=current), Effect.ASKED)
    if record.current.state == "awaiting_approval":
        return Decision(join(record, question, message.request_id, now + rules.deadline), Effect.JOINED)
    if len(record.waiting) >= _room(record.current, rules, now):
        return Decision(record, Effect.IGNORED_BUSY)
    return Decision(record.having(waiting=(*record.waiting, question)), Effect.QUEUED)


def _collect(record: ChatRecord, text: str, message: Incoming, rules: Rules, now: datetime) -> Decision:
    """Take in a message without the prefix: it begins a burst, or is one more piece of its sender's."""
    piece = _question(record, text, message, rules, now)
    if not has_room(record, piece.text, message.author):
        return Decision(record, Effect.IGNORED_BUSY)
    if burst := find_burst(record, message.author):
        return Decision(add(record, piece, burst, rules, now=now, asks=False), Effect.COLLECTED)
    delay = rules.delay.at(draw(message, "delay"))
    return Decision(begin(record, piece, message.author, rules, now=now, delay=delay), Effect.COLLECTING)


def _burst_for(record: ChatRecord, command: Command | None, message: Incoming) -> Burst | None:
    """Return the burst of which a message becomes one more piece.

    A question with the prefix stands alone if there is no room for it, or if it may have been answered alone before.
    """
    match command:
        case Collect():
            return find_burst(record, message.author)
        case Ask(question) if not (message.doubtful or message.before_restore):
            fits = has_room(record, truncate(question, MAX_QUESTION_BYTES), message.author)
            return find_burst(record, message.author) if fits else None
    return None


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
    text = phrases.deleted(locale, cancelled=bool(record.current or record.bursts))
    record = forget_current(record).having(
        history=(),
        waiting=(),
        bursts=(),
        heard=(),
        answers=(),
        erasing=True,
        deleted_to=max(record.deleted_to, message.message_id),
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
