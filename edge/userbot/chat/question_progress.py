"""Transitions of a chat record after replies, deadlines and sent messages: pure functions.

Every transition returns a new record, or the very same object if it changes nothing.
"""

from datetime import datetime, timedelta

from edge.userbot.chat.own_messages import add_notice, expect_sending, forget_current
from edge.userbot.chat.record import (
    MAX_ANSWER_BYTES,
    MAX_HISTORY,
    MAX_HISTORY_BYTES,
    NO_MESSAGE,
    AnswerText,
    ChatRecord,
    Current,
    Failure,
    Notice,
    ask,
    truncate,
)
from edge.userbot.phrases import DEADLINE, INTERNAL, failure
from edge.userbot.text import clean, is_blank
from events.errors import MalformedEvent
from events.event import Event
from events.ids import RequestId
from events.schema import FailureReason, GenerationCompleted, GenerationFailed, Role, Turn

MALFORMED = Failure(reason=FailureReason.MALFORMED)
"""The outcome of a question whose reply can't be read."""


def apply_reply(record: ChatRecord, reply: Event, now: datetime, *, formatted: bool) -> ChatRecord:
    """Record the outcome in `reply`, unless the current question has one. A reply that can't be read fails it.

    `formatted`: show the Markdown of an answer as formatting.
    """
    try:
        data = reply.data()
    except MalformedEvent:
        return record_failure(record, reply.subject, FailureReason.MALFORMED, now)
    match data:
        case GenerationCompleted(request_id=request_id, text=text):
            return record_answer(record, request_id, text, now, formatted=formatted)
        case GenerationFailed(request_id=request_id, reason=reason):
            return record_failure(record, request_id, reason, now)
    return record_failure(record, data.request_id, FailureReason.MALFORMED, now)


def record_answer(
    record: ChatRecord, request_id: str, text: str, now: datetime, *, formatted: bool = False
) -> ChatRecord:
    """Record the model's answer. An answer without visible text counts as a failure."""
    text = truncate(clean(text).strip(), MAX_ANSWER_BYTES)
    answer = Failure(reason=FailureReason.EMPTY) if is_blank(text) else AnswerText(text=text, formatted=formatted)
    return _record_outcome(record, request_id, answer, now)


def record_failure(record: ChatRecord, request_id: str, reason: str, now: datetime) -> ChatRecord:
    """Record that the question has no answer, and why."""
    return _record_outcome(record, request_id, Failure(reason=str(reason)), now)


def expire(record: ChatRecord, now: datetime) -> ChatRecord:
    """Fail the current question if its deadline has passed without a reply."""
    current = record.current
    if current is None or now < current.deadline:
        return record
    return _record_outcome(record, current.request_id, Failure(reason=DEADLINE), now)


def limit_deadline(record: ChatRecord, latest: datetime) -> ChatRecord:
    """Move a later deadline to `latest`: this machine's clock was wrong when it was set."""
    current = record.current
    if current is None or current.outcome or current.deadline <= latest:
        return record
    return record.having(current=current.having(deadline=latest))


def doubt_question(record: ChatRecord, restored_at: datetime) -> ChatRecord:
    """Record that the current question may have been answered if it was asked before a backup was restored."""
    current = record.current
    if current is None or current.question.doubtful or current.question.asked_at >= restored_at:
        return record
    return record.having(current=current.having(question=current.question.having(doubtful=True)))


def record_thinking_line(record: ChatRecord, request_id: str, thinking_id: int) -> ChatRecord:
    """Record that the thinking line was sent as message `thinking_id`."""
    current = current_question(record, request_id)
    if current is None or current.thinking_id is not None:
        return record
    return record.having(current=current.having(thinking_id=thinking_id))


def drop_thinking_line(record: ChatRecord, request_id: str) -> ChatRecord:
    """Record that the thinking line can't be edited, e.g. because it was deleted: the outcome needs a new message."""
    current = current_question(record, request_id)
    return record if current is None else record.having(current=current.having(thinking_id=NO_MESSAGE))


def continue_trace(record: ChatRecord, trace: dict[str, str]) -> ChatRecord:
    """Make `trace` the parent of whatever happens to the current question from now on."""
    if record.current is None:
        return record
    question = record.current.question.having(trace=trace)
    return record.having(current=record.current.having(question=question))


def record_part_sent(record: ChatRecord, request_id: str, parts_sent: int) -> ChatRecord:
    """Record that the first `parts_sent` messages of the outcome were sent."""
    current = current_question(record, request_id)
    if current is None or current.state != "delivering" or parts_sent <= current.parts_sent:
        return record
    return record.having(current=current.having(parts_sent=parts_sent))


def finish_question(record: ChatRecord, request_id: str, now: datetime, deadline: timedelta) -> ChatRecord:
    """Finish the current question: add its answer to the history and take up the next one, due `deadline` from now."""
    current = current_question(record, request_id)
    if current is None or current.state != "delivering":
        return record
    record = record.having(history=_with_answer(record.history, current))
    return drop_current(record, current, now + deadline)


def take_up_next(record: ChatRecord, account: str, chat: str, deadline: datetime) -> ChatRecord:
    """Make the question that has waited longest the current one, unless there is a current one."""
    if record.current or not record.waiting:
        return record
    question = record.waiting[0]
    request_id = RequestId(account, chat, str(question.message_id), question.revision)
    return record.having(current=ask(question, request_id, deadline), waiting=record.waiting[1:])


def give_up_question(record: ChatRecord, request_id: str, now: datetime, deadline: datetime) -> ChatRecord:
    """Fail a question that can't be answered. If it has failed already, drop it: its failure can't be sent either."""
    current = current_question(record, request_id)
    if current is None:
        return record
    if isinstance(current.outcome, Failure):
        return drop_current(record, current, deadline)
    failure = Failure(reason=INTERNAL)
    changes = {"outcome": failure, "settled_at": now, "thinking_id": NO_MESSAGE, "parts_sent": 0}
    return expect_sending(record).having(current=current.having(**changes))


def drop_answered_question(record: ChatRecord, request_id: str, deadline: datetime) -> ChatRecord:
    """Drop the current question: its outcome was sent before an older backup of the records was restored."""
    current = current_question(record, request_id)
    return record if current is None else drop_current(record, current, deadline)


def skip_waiting_question(record: ChatRecord) -> ChatRecord:
    """Drop the question that has waited longest, as it can't be taken up, and add a notice that says so."""
    if not record.waiting:
        return record
    question = record.waiting[0]
    notice = Notice(message_id=question.message_id, text=failure(question.locale, INTERNAL))
    return add_notice(record.having(waiting=record.waiting[1:]), notice)


def drop_notice(record: ChatRecord, message_id: int, key: str = "") -> ChatRecord:
    """Remove the notice to `message_id`, or the one of our own accord with `key`, which was sent."""
    left = tuple(notice for notice in record.notices if notice.name != (message_id, key))
    return record if len(left) == len(record.notices) else record.having(notices=left)


def finish_erasing(record: ChatRecord, up_to: int) -> ChatRecord:
    """Record that the chat's events up to message `up_to` were erased from the streams."""
    return record.having(erasing=False) if record.erasing and record.deleted_to <= up_to else record


def current_question(record: ChatRecord, request_id: str) -> Current | None:
    """Return the current question if it is `request_id`."""
    return record.current if record.current and record.current.request_id == request_id else None


def drop_current(record: ChatRecord, current: Current, deadline: datetime) -> ChatRecord:
    """Remove `current` and recall its draft; the question that has waited longest follows, due at `deadline`."""
    previous = RequestId.parse(current.request_id)
    return take_up_next(forget_current(record), previous.account, previous.chat, deadline)


def _record_outcome(record: ChatRecord, request_id: str, outcome: AnswerText | Failure, now: datetime) -> ChatRecord:
    """Record the outcome of the question `request_id`, unless it has one or is not the current one."""
    current = current_question(record, request_id)
    if current is None or current.outcome:
        return record
    return record.having(current=current.having(outcome=outcome, settled_at=now))


def _with_answer(history: tuple[Turn, ...], current: Current) -> tuple[Turn, ...]:
    if not isinstance(current.outcome, AnswerText):
        return history
    question = Turn(role=Role.USER, text=current.question.text, speaker=current.question.speaker)
    answer = Turn(role=Role.ASSISTANT, text=current.outcome.text)
    history = (*history, question, answer)[-MAX_HISTORY:]
    while sum(len((turn.speaker + turn.text).encode()) for turn in history) > MAX_HISTORY_BYTES:
        history = history[2:]
    return history
