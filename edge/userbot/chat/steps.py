"""What has to happen next in a chat so that the world matches its record: record and time alone decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.userbot import phrases
from edge.userbot.chat.record import NO_MESSAGE, AnswerText, ChatRecord, Current, Failure, Notice
from edge.userbot.formatting.messages import formatted_messages
from edge.userbot.formatting.styled_text import FormattedText


@dataclass(frozen=True, slots=True)
class Erase:
    """Erase the chat's events up to message `up_to` from the streams; then `erased`."""

    up_to: int


@dataclass(frozen=True, slots=True)
class Notify:
    """Send `notice`; then `notified`."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Nothing is being answered, but something waits: `taken_up`."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline has passed: `expired`, unless a reply is in."""

    current: Current


@dataclass(frozen=True, slots=True)
class Think:
    """Publish the request of `current` while it is asking, then send its thinking line; then `thought`."""

    current: Current


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send `part`, message `part_index` (from 0) of `parts_total`; then `part_sent` with `part_index + 1`.

    With `edits` it replaces the text of that message; if that is gone, `line_lost` instead.
    """

    current: Current
    part_index: int
    part: FormattedText
    parts_total: int
    edits: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The whole outcome is out: `finished`."""


Step = Erase | Notify | TakeUp | Expire | Think | Deliver | Finish


def next_step(record: ChatRecord, now: datetime, *, erase: bool = True, send: bool = True) -> Step | None:
    """The most urgent step, the same one until its transition is stored; None while there is nothing but to wait.

    Without `erase` the chat goes on as well as it can while its events can't be erased. Nobody is told that they
    are before it is true. Without `send` only what needs no message is done, such as deciding that a deadline has
    passed.
    """
    if record.erasing and erase:
        return Erase(record.deleted_to)
    for notice in record.notices if send else ():
        if not record.erasing or notice.message_id > record.deleted_to:
            return Notify(notice)
    current = record.current
    if current is None:
        return TakeUp() if record.waiting else None
    if current.outcome is None and now >= current.deadline:
        return Expire(current)
    if current.thinking_id is None:
        # Even if there is an outcome: before a crash the thinking line may have been sent but not recorded.
        return Think(current) if send else None
    step = _delivery(current, current.outcome) if current.outcome else None
    return step if send or not isinstance(step, Deliver) else None


def wake_at(record: ChatRecord) -> datetime | None:
    """When a step becomes due by itself: the deadline of a question that has no outcome yet."""
    current = record.current
    return current.deadline if current and current.outcome is None else None


def _delivery(current: Current, outcome: AnswerText | Failure) -> Step:
    # The same parts every time, so that a restart goes on where it was.
    parts = _parts(outcome, current.question.locale)
    if current.parts_sent >= len(parts):
        return Finish()
    becomes_answer = current.question.live and current.parts_sent == 0 and current.thinking_id != NO_MESSAGE
    edits = current.thinking_id if becomes_answer else None
    return Deliver(current, current.parts_sent, parts[current.parts_sent], len(parts), edits)


def _parts(outcome: AnswerText | Failure, locale: str) -> Sequence[FormattedText]:
    if isinstance(outcome, AnswerText):
        return formatted_messages(outcome.text, formatted=outcome.formatted)
    return [FormattedText(phrases.failure(locale, outcome.reason))]
