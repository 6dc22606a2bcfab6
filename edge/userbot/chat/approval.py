"""Approval: the owner decides about an outcome before it is sent. Pure functions of the asking chat's record.

`drafts.py` has those of the owner's record. Every transition returns a new record, or the very same object if it
changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from edge.userbot.chat.drafts import recall
from edge.userbot.chat.question_progress import drop_current
from edge.userbot.chat.record import (
    MAX_ANSWER_BYTES,
    MAX_QUESTION_BYTES,
    AnswerText,
    ChatRecord,
    Current,
    Question,
    ask,
    truncate,
)
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.text import clean, is_blank, strip_invisible, trim
from events.ids import RequestId

APPROVING = frozenset("+👍")
REJECTING = frozenset("-–—−👎")
"""Telegram's apps make dashes of hyphens."""
_SKIN_TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))


@dataclass(frozen=True, slots=True)
class Approve:
    """Send the outcome as it is."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Send nothing."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Send this text, which is clean and not blank, instead."""

    text: str


Choice = Approve | Reject | Replace


def needs_approval(record: ChatRecord, sender: Person, chat: str, rules: Rules) -> bool:
    """Return whether the answer to a question of this sender is sent only if the owner approves it.

    It is, if that depends on who wrote first, and this is not known.
    """
    match rules.approve:
        case "off":
            return False
        case "all":
            return True
        case "new":
            return not record.history
        case "listed":
            sender = sender if record.wrote_first is None else replace(sender, wrote_first=record.wrote_first)
            return rules.approve_list.may_include(sender, chat)


def read_choice(text: str) -> Choice | None:
    """Read what the owner replied to a draft; None if that is no choice: a command, or nothing that can be seen."""
    text = truncate(trim(clean(text)), MAX_ANSWER_BYTES)
    sign = strip_invisible(text).translate(_SKIN_TONES)
    if sign in APPROVING:
        return Approve()
    if sign in REJECTING:
        return Reject()
    return None if is_blank(text) or text.startswith("/") else Replace(text)


def awaiting(record: ChatRecord, request_id: str) -> Current | None:
    """Return the current question if it is `request_id` and its outcome awaits approval."""
    current = record.current
    if current is None or current.request_id != request_id or current.state != "awaiting_approval":
        return None
    return current


def submit(record: ChatRecord, request_id: str, until: datetime) -> ChatRecord:
    """Record that the owner's chat has the draft, which waits `until` then."""
    current = awaiting(record, request_id)
    if current is None or current.submitted:
        return record
    return record.having(current=current.having(submitted=True, approve_until=until))


def limit_approval(record: ChatRecord, latest: datetime) -> ChatRecord:
    """Move a later end of the wait to `latest`: this machine's clock was wrong, or the setting has changed."""
    current = record.current
    if current is None or current.approve_until is None or current.approve_until <= latest or current.approved:
        return record
    return record.having(current=current.having(approve_until=latest))


def decide(record: ChatRecord, request_id: str, choice: Choice, *, by: int, deadline: datetime) -> ChatRecord:
    """Carry out the owner's choice, unless the draft no longer waits.

    `by`: the owner's message. If it decides, `decided_by` says so, also after the question is gone.
    `deadline`: of the next question, if one waits.
    """
    current = awaiting(record, request_id)
    if current is None:
        return record
    match choice:
        case Approve():
            record = _approve(record, current)
        case Reject():
            record = drop_current(record, current, deadline)
        case Replace(text):
            record = _approve(record, current.having(outcome=AnswerText(text=text, by_owner=True)))
    return record.having(decided_by=by)


def expire_approval(
    record: ChatRecord, request_id: str, now: datetime, *, send: bool, deadline: datetime
) -> ChatRecord:
    """End the wait if it is over: drop the outcome, or `send` it if it is an answer. `deadline`: as in `decide`."""
    current = awaiting(record, request_id)
    if current is None or (current.approve_until and now < current.approve_until):
        return record
    if send and isinstance(current.outcome, AnswerText):
        return _approve(record, current)
    return drop_current(record, current, deadline)


def join(record: ChatRecord, question: Question, request_id: RequestId, deadline: datetime) -> ChatRecord:
    """Ask the question whose draft waits, those that wait behind it, and `question` as one; recall the draft.

    If they are too long together, the start is cut off. Where several people ask, their names precede their words.
    """
    assert record.current
    questions = (record.current.question, *record.waiting, question)
    several = len({one.speaker for one in questions}) > 1
    text = "\n".join(f"{one.speaker}: {one.text}" if several and one.speaker else one.text for one in questions)
    text = text.encode()[-MAX_QUESTION_BYTES:].decode(errors="ignore")
    speaker = "" if several else question.speaker
    joined = question.having(text=text, speaker=speaker, approve=True, live=False, sign="")
    return recall(record).having(current=ask(joined, request_id, deadline), waiting=())


def _approve(record: ChatRecord, current: Current) -> ChatRecord:
    return recall(record).having(current=current.having(approved=True, parts_sent=0))
