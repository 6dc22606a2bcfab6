"""Decide the next step of a chat: a pure function of its record and the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.userbot import phrases
from edge.userbot.chat.bursts import NOBODY, TypingUntil, due_at, due_burst, may_close
from edge.userbot.chat.drafts import draft_shown_by, draft_to_show
from edge.userbot.chat.record import (
    MAX_NOTICES,
    NO_MESSAGE,
    AnswerText,
    Burst,
    ChatRecord,
    Current,
    Draft,
    Failure,
    Notice,
    Order,
)
from edge.userbot.formatting.messages import formatted_messages
from edge.userbot.formatting.styled_text import FormattedText


@dataclass(frozen=True, slots=True)
class Erase:
    """Erase the chat's events up to message `up_to` from the streams; then `finish_erasing`."""

    up_to: int


@dataclass(frozen=True, slots=True)
class Notify:
    """Send `notice`; then `drop_notice`."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Delete our message; then `drop_withdrawal`."""

    message_id: int


@dataclass(frozen=True, slots=True)
class CarryOut:
    """This is the owner's chat: carry out `order`; then `finish_order`."""

    order: Order


@dataclass(frozen=True, slots=True)
class TakeUp:
    """There is no current question, but one waits: `take_up_next`."""


@dataclass(frozen=True, slots=True)
class CloseBurst:
    """Nothing has followed for a while: `close_burst`."""

    burst: Burst


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline has passed: `expire`, unless there is a reply."""

    current: Current


@dataclass(frozen=True, slots=True)
class Think:
    """Publish the request of `current` unless it has an outcome; send its thinking line; `record_thinking_line`.

    Without the line if its outcome needs approval, is shown in a live draft while it is written, or has another sign.
    """

    current: Current


@dataclass(frozen=True, slots=True)
class Submit:
    """Give the owner's chat a draft of the outcome, which needs approval; then `approval.submit`."""

    current: Current


@dataclass(frozen=True, slots=True)
class ExpireApproval:
    """The owner has not decided in time: `approval.expire_approval`."""

    current: Current


@dataclass(frozen=True, slots=True)
class Recall:
    """Have the draft of `request_id` removed from the owner's chat; then `approval.finish_recall`."""

    request_id: str


@dataclass(frozen=True, slots=True)
class ShowDraft:
    """This is the owner's chat: send the next message of `draft`; then `drafts.record_draft_message`."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send `part`, message `part_index` (from 0) of `parts_total`; then `record_part_sent` with `part_index + 1`.

    `edits`: replace the text of this message instead; if it no longer exists, then `drop_thinking_line`.
    """

    current: Current
    part_index: int
    part: FormattedText
    parts_total: int
    edits: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """All messages of the outcome are sent: `finish_question`."""


Step = (
    Erase
    | Notify
    | Withdraw
    | CarryOut
    | TakeUp
    | CloseBurst
    | Expire
    | Think
    | Deliver
    | Finish
    | Submit
    | ExpireApproval
    | Recall
    | ShowDraft
)


def next_step(
    record: ChatRecord, now: datetime, *, erase: bool = True, send: bool = True, typing: TypingUntil = NOBODY
) -> Step | None:
    """Return the most urgent step, the same one until its transition is stored; None if there is none for now.

    `erase`: whether events can be erased now. If not, the chat goes on, but the notice that says so waits. `send`:
    whether messages can be sent now. If not, only steps without one are returned, such as `Expire`. `typing`: whose
    bursts wait.
    """
    if record.erasing and erase:
        return Erase(record.deleted_to)
    if record.recalled:
        return Recall(record.recalled[0])
    if step := _step_beside_questions(record, send=send):
        return step
    if burst := due_burst(record, now, typing):
        return CloseBurst(burst)
    if record.current:
        return _question_step(record.current, now, send=send)
    return TakeUp() if record.waiting else None


def _step_beside_questions(record: ChatRecord, *, send: bool) -> Step | None:
    if (order := _due_order(record)) is not None:
        return CarryOut(order)
    if not send:
        return None
    for notice in record.notices:
        if not record.erasing or notice.message_id > record.deleted_to:
            return Notify(notice)
    if record.withdrawn:
        return Withdraw(record.withdrawn[0])
    draft = draft_to_show(record)
    return ShowDraft(draft) if draft else None


def _due_order(record: ChatRecord) -> Order | None:
    if not record.orders or len(record.notices) >= MAX_NOTICES:  # a further notice would replace the oldest
        return None
    order = record.orders[0]
    # What it replies to may be a draft's message whose id is not recorded yet.
    unknown = order.reply_to and draft_shown_by(record, order.reply_to) is None
    return None if unknown and draft_to_show(record) else order


def _question_step(current: Current, now: datetime, *, send: bool) -> Step | None:
    if current.outcome is None and now >= current.deadline:
        return Expire(current)
    if current.thinking_id is None:
        # Even if there is an outcome: before a crash the thinking line may have been sent but not recorded.
        return Think(current) if send or current.question.approve else None
    if current.state == "awaiting_approval":
        return _approval(current, now)
    delivery = _delivery(current, current.outcome) if current.outcome else None
    return delivery if send or not isinstance(delivery, Deliver) else None


def wake_at(record: ChatRecord, typing: TypingUntil = NOBODY) -> datetime | None:
    """Return when a step becomes due by itself.

    That is at the current question's deadline, when its approval expires, or when a burst is to be closed. `typing`: as
    in `next_step`.
    """
    moments = [due_at(burst, typing) for burst in record.bursts] if may_close(record) else []
    if (current := record.current) and current.state != "delivering":
        moments += [current.deadline] if current.outcome is None else [at for at in [current.approve_until] if at]
    return min(moments, default=None)


def _approval(current: Current, now: datetime) -> Step | None:
    if not current.submitted:
        return Submit(current)
    return ExpireApproval(current) if current.approve_until is None or now >= current.approve_until else None


def _delivery(current: Current, outcome: AnswerText | Failure) -> Step:
    # The parts are the same every time, so that a restart continues with the next one.
    parts = messages_of(outcome, current.question.locale)
    if current.parts_sent >= len(parts):
        return Finish()
    becomes_answer = current.question.live and current.parts_sent == 0 and current.thinking_id != NO_MESSAGE
    edits = current.thinking_id if becomes_answer else None
    return Deliver(current, current.parts_sent, parts[current.parts_sent], len(parts), edits)


def messages_of(outcome: AnswerText | Failure, locale: str) -> Sequence[FormattedText]:
    """Return the messages of an outcome: the same ones every time."""
    if isinstance(outcome, AnswerText):
        return formatted_messages(outcome.text, formatted=outcome.formatted)
    return [FormattedText(phrases.failure(locale, outcome.reason))]
