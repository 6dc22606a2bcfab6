"""What has to happen next in a chat so that the world matches its record: record and time alone decide."""

from dataclasses import dataclass
from datetime import datetime

from edge.userbot import phrases
from edge.userbot.record import Answer, ChatRecord, Current, Failure, Notice
from edge.userbot.splitting import split


@dataclass(frozen=True, slots=True)
class Erase:
    """Erase the chat's events from the streams; then `erased`."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Send `notice`; then `notified`."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline has passed: `expired`."""


@dataclass(frozen=True, slots=True)
class Think:
    """Publish the request of `current` while it is asking, then send its thinking line; then `thought`."""

    current: Current


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send `text`, message `part_index` (from 0) of `parts_total`; then `part_sent` with `part_index + 1`."""

    current: Current
    part_index: int
    text: str
    parts_total: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The whole outcome is out: `finished`."""


Step = Erase | Notify | Expire | Think | Deliver | Finish


def next_step(record: ChatRecord, now: datetime) -> Step | None:
    """The most urgent step, the same one until its transition is stored; None while there is nothing but to wait.

    Erasing comes first: it must never take a request that was published after it.
    """
    if record.erasing:
        return Erase()
    if record.notices:
        return Notify(record.notices[0])
    if record.current is None:
        return None
    return _about(record.current, now)


def wake_at(record: ChatRecord) -> datetime | None:
    """When a step becomes due by itself: the deadline of a question that has no outcome yet."""
    current = record.current
    return current.deadline if current and current.outcome is None else None


def _about(current: Current, now: datetime) -> Step | None:
    """The thinking line comes first even when the outcome is in: a crash may have left it in the chat, unrecorded."""
    if current.outcome is None and now >= current.deadline:
        return Expire()
    if current.thinking_id is None:
        return Think(current)
    return _delivering(current, current.outcome) if current.outcome else None


def _delivering(current: Current, outcome: Answer | Failure) -> Step:
    # The same parts every time, so that a restart goes on where it was.
    locale = current.question.locale
    parts = split(outcome.text) if isinstance(outcome, Answer) else [phrases.failure(locale, outcome.reason)]
    if current.parts_sent >= len(parts):
        return Finish()
    return Deliver(current, current.parts_sent, parts[current.parts_sent], len(parts))
