"""The owner's turn: what a message that the owner writes in a chat does to its record. Pure functions."""

from collections.abc import Callable, Iterator, Set
from datetime import datetime, timedelta

from edge.userbot.chat.answers import record_answered
from edge.userbot.chat.bursts import leave_out, part_before
from edge.userbot.chat.incoming import OwnMessage
from edge.userbot.chat.own_messages import (
    SentMessage,
    forget_current,
    is_ours,
    is_sent_next,
    may_be_forgotten,
    record_seen,
    record_sent,
)
from edge.userbot.chat.policy import is_over, is_within
from edge.userbot.chat.question_progress import record_part_sent, record_thinking_line
from edge.userbot.chat.record import NO_MESSAGE, ChatRecord, Question
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.rules import Rules

SAVED_SHARE = 10
"""A pause is prolonged in the record once this part of it has passed: an owner who writes a lot costs few writes."""


def take_own(record: ChatRecord, message: OwnMessage, rules: Rules, now: datetime) -> Decision:
    """Take in a message that was sent from the account. The owner's drops older questions and pauses the chat."""
    if is_ours(record, message):
        return Decision(_record_ours(record, message, feedback=rules.feedback), Effect.OWN)
    if may_be_forgotten(record, message):
        return Decision(record, Effect.OWN)  # in doubt, as a wrong guess the other way would silence the chat
    dropped = older_questions(record, message.message_id)
    record = pause(drop_questions(record, dropped), min(message.date, now), rules.owner_pause, now)
    return Decision(record, Effect.OWNER_TOOK_OVER if dropped else Effect.OWNER_WROTE, dropped)


def _record_ours(record: ChatRecord, message: OwnMessage, *, feedback: bool) -> ChatRecord:
    """Record that a message of ours is in the chat, which the driver may not know: its process may have died."""
    current = record.current
    if message.message_id in record.sent or current is None or not is_sent_next(current, message):
        return record_seen(record, message)
    record = record_sent(record, SentMessage(message.message_id, message.text, message.reply_to or NO_MESSAGE))
    if current.thinking_id is None:
        return record_thinking_line(record, current.request_id, message.message_id)
    if feedback:
        record = record_answered(record, current.request_id, message.message_id)
    return record_part_sent(record, current.request_id, current.parts_sent + 1)


def older_questions(record: ChatRecord, message_id: int) -> tuple[Question, ...]:
    """Return the questions without a complete outcome that were written before message `message_id` of the chat."""
    return open_questions(record, lambda question: question.message_id < message_id)


def open_questions(
    record: ChatRecord, is_meant: Callable[[Question], bool] = lambda question: True
) -> tuple[Question, ...]:
    """Return the questions without a complete outcome that are meant. Meant pieces of a burst are one."""
    current = (record.current.question,) if record.current else ()
    asked = (question for question in (*current, *record.waiting) if is_meant(question))
    parts = (part_before(burst, is_meant) for burst in record.bursts)
    return *asked, *(part for part in parts if part)


def drop_questions(record: ChatRecord, questions: tuple[Question, ...]) -> ChatRecord:
    """Return `record` without `questions`, which get no outcome, and without the thinking line of the current one.

    Of a burst the pieces up to such a question are left out.
    """
    if not questions:
        return record
    if record.current and record.current.question in questions:
        record = forget_current(record, withdraw=True)
    record = record.having(waiting=tuple(question for question in record.waiting if question not in questions))
    return leave_out(record, set(_pieces_up_to(record, {question.message_id for question in questions})))


def _pieces_up_to(record: ChatRecord, newest: Set[int]) -> Iterator[int]:
    """Yield the messages of each burst up to the one that is among `newest`."""
    for burst in record.bursts:
        ids = [piece.message_id for piece in burst.pieces]
        end = next((at for at, message_id in enumerate(ids, 1) if message_id in newest), 0)
        yield from ids[:end]


def pause(record: ChatRecord, since: datetime, length: timedelta, now: datetime) -> ChatRecord:
    """Return `record` paused for `length` from `since`, or as it was if its pause lasts, and hardly less long.

    The owner may have ended this pause: `/resume` may be read first.
    """
    until = since + length
    is_paused = is_within(record.paused_since, record.paused_until, now)
    if is_over(record.resumed_at, since, now):
        return record
    if is_paused and record.paused_until and until - record.paused_until <= length / SAVED_SHARE:
        return record
    return record.having(paused_since=since, paused_until=until)
