"""Bursts: messages of one person without the prefix that become one question. Pure functions.

A burst is collecting until it is due, and longer while the chat has another question: then it is closed.
"""

from collections.abc import Set
from datetime import datetime, timedelta

from edge.userbot.chat.record import MAX_QUESTION_BYTES, Burst, ChatRecord, Question, truncate
from edge.userbot.rules import Rules
from edge.userbot.text import clean, is_blank, trim

MAX_BURSTS = 8
MAX_PIECES = 32
MAX_COLLECTING = timedelta(seconds=30)
"""After this time a burst is due even if its person goes on writing."""
FINISHED = frozenset("?？؟!.…")
FINISHED_SHARE = 2 / 3
"""The part of the debounce after which a burst is due whose last piece ends like a sentence."""


def find_burst(record: ChatRecord, sender: str) -> Burst | None:
    """Return the person's burst that is collecting."""
    return next((burst for burst in record.bursts if burst.sender == sender), None)


def has_room(record: ChatRecord, question: Question, sender: str) -> bool:
    """Return whether a piece can be taken in."""
    burst = find_burst(record, sender)
    if burst is None:
        return len(record.bursts) < MAX_BURSTS
    return len(burst.pieces) < MAX_PIECES and _bytes(*burst.pieces, question) <= MAX_QUESTION_BYTES


def begin(
    record: ChatRecord, piece: Question, sender: str, rules: Rules, *, now: datetime, delay: timedelta
) -> ChatRecord:
    """Begin the person's burst, which is not due before `delay` has passed."""
    burst = Burst(
        sender=sender,
        pieces=(piece,),
        due_at=now + max(delay, _pause(piece.text, rules)),
        not_before=now + delay,
        close_by=now + max(delay, MAX_COLLECTING),
    )
    return record.having(bursts=(*record.bursts, burst))


def add(record: ChatRecord, piece: Question, burst: Burst, rules: Rules, *, now: datetime, asks: bool) -> ChatRecord:
    """Add a piece to a burst. `asks`: it has the prefix, so that the burst is due at once."""
    due_at = now if asks else min(max(burst.not_before, now + _pause(piece.text, rules)), burst.close_by)
    earlier = (one.having(persona="") for one in burst.pieces)  # the newest piece has it
    return _replace(record, burst, burst.having(pieces=(*earlier, piece), due_at=due_at))


def due_burst(record: ChatRecord, now: datetime) -> Burst | None:
    """Return the burst that is to be closed now: the one that has been due for longest.

    While the chat has a question, none is, unless the answer to that waits for the owner's approval.
    """
    due = [burst for burst in record.bursts if burst.due_at <= now] if may_close(record) else []
    return min(due, key=lambda burst: burst.due_at, default=None)


def may_close(record: ChatRecord) -> bool:
    """Return whether a burst can become a question now."""
    current = record.current
    return (current is None and not record.waiting) or (current is not None and current.state == "awaiting_approval")


def question_of(burst: Burst) -> Question:
    """Return the question that the pieces make: the newest one, with the texts of all."""
    newest = burst.pieces[-1]
    text = "\n".join(piece.text for piece in burst.pieces)
    doubtful = any(piece.doubtful for piece in burst.pieces)
    approve = any(piece.approve for piece in burst.pieces)
    return newest.having(text=truncate(text, MAX_QUESTION_BYTES), doubtful=doubtful, approve=approve)


def without(record: ChatRecord, burst: Burst) -> ChatRecord:
    return record.having(bursts=tuple(one for one in record.bursts if one.sender != burst.sender))


def edit_piece(record: ChatRecord, message_id: int, text: str) -> ChatRecord:
    """Change the text of a piece. One that nothing can be seen of any more is left out."""
    text = truncate(trim(clean(text)), MAX_QUESTION_BYTES)
    if is_blank(text):
        return leave_out(record, {message_id})
    for burst in record.bursts:
        pieces = tuple(piece.having(text=text) if piece.message_id == message_id else piece for piece in burst.pieces)
        if pieces != burst.pieces:
            return _replace(record, burst, burst.having(pieces=pieces))
    return record


def leave_out(record: ChatRecord, message_ids: Set[int]) -> ChatRecord:
    """Leave out pieces. A burst of which none is left is gone."""
    for burst in record.bursts:
        pieces = tuple(piece for piece in burst.pieces if piece.message_id not in message_ids)
        if len(pieces) == len(burst.pieces):
            continue
        persona = burst.pieces[-1].persona
        kept = (*pieces[:-1], *(piece.having(persona=persona) for piece in pieces[-1:]))
        record = _replace(record, burst, burst.having(pieces=kept)) if kept else without(record, burst)
    return record


def limit_bursts(record: ChatRecord, now: datetime, rules: Rules) -> ChatRecord:
    """Move what is due too late to the latest moment that the settings allow: this machine's clock was wrong."""
    latest = now + max(MAX_COLLECTING, rules.delay.most)
    if all(burst.due_at <= latest for burst in record.bursts):
        return record
    limits = {"due_at": latest, "not_before": latest, "close_by": latest}
    return record.having(
        bursts=tuple(burst if burst.due_at <= latest else burst.having(**limits) for burst in record.bursts)
    )


def _pause(text: str, rules: Rules) -> timedelta:
    """Return how long to wait for a further piece."""
    return rules.debounce * (FINISHED_SHARE if text[-1:] in FINISHED else 1)


def _replace(record: ChatRecord, burst: Burst, by: Burst) -> ChatRecord:
    return record.having(bursts=tuple(by if one.sender == burst.sender else one for one in record.bursts))


def _bytes(*pieces: Question) -> int:
    return sum(len(piece.text.encode()) + 1 for piece in pieces)
