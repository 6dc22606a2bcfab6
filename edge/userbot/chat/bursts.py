"""Bursts: messages of one person without the prefix that become one question. Pure functions.

A burst is collecting until it is due, and longer while the chat has another question: then it is closed.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timedelta

from edge.userbot.chat.record import MAX_QUESTION_BYTES, Burst, ChatRecord, Question, truncate
from edge.userbot.rules import MAX_DEBOUNCE, Rules

MAX_BURSTS = 8
MAX_PIECES = 32
MAX_COLLECTING = MAX_DEBOUNCE
"""After this time a burst is due even if its person goes on writing."""
TypingUntil = Mapping[str, datetime]
"""By sender: until when a person who is typing counts as doing so."""
NOBODY: TypingUntil = {}
FINISHED = frozenset("?？؟!.…")
FINISHED_SHARE = 2 / 3
"""The part of the debounce after which a burst is due whose last piece ends like a sentence."""


def find_burst(record: ChatRecord, sender: str) -> Burst | None:
    """Return the person's burst that is collecting."""
    return next((burst for burst in record.bursts if burst.sender == sender), None)


def has_room(record: ChatRecord, text: str, sender: str) -> bool:
    """Return whether a piece with this text can be taken in."""
    burst = find_burst(record, sender)
    if burst is None:
        return len(record.bursts) < MAX_BURSTS
    return len(burst.pieces) < MAX_PIECES and _room(burst.pieces) >= len(text.encode())


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
    """Add a piece to a burst. `asks`: it has the prefix, so that the burst is due at once, whoever is typing."""
    if asks:
        burst = burst.having(not_before=now, close_by=now)
    due_at = min(max(burst.not_before, now + _pause(piece.text, rules)), burst.close_by)
    pieces = sorted((*burst.pieces, piece), key=lambda one: one.message_id)  # it may have come late
    return _replace(record, burst, burst.having(pieces=_with_persona(pieces, piece.persona), due_at=due_at))


def due_burst(record: ChatRecord, now: datetime, typing: TypingUntil = NOBODY) -> Burst | None:
    """Return the burst that is to be closed now: the one that has been due for longest.

    While the chat has a question, none is, unless the answer to that waits for the owner's approval.
    """
    due = [burst for burst in record.bursts if due_at(burst, typing) <= now] if may_close(record) else []
    return min(due, key=lambda burst: burst.due_at, default=None)


def due_at(burst: Burst, typing: TypingUntil = NOBODY) -> datetime:
    """Return when to close a burst: later if its person is typing then."""
    until = min(typing.get(burst.sender, burst.due_at), burst.close_by)
    return max(burst.due_at, until)


def may_close(record: ChatRecord) -> bool:
    """Return whether a burst can become a question now."""
    current = record.current
    return (current is None and not record.waiting) or (current is not None and current.state == "awaiting_approval")


def question_of(burst: Burst) -> Question:
    """Return the question that the pieces make: the newest one, with the texts of all."""
    newest = burst.pieces[-1]
    text = truncate("\n".join(piece.text for piece in burst.pieces), MAX_QUESTION_BYTES)
    question = newest.having(text=text, doubtful=any(piece.doubtful for piece in burst.pieces))
    if not any(piece.approve for piece in burst.pieces):
        return question
    return question.having(approve=True, live=False, sign="")  # nothing is shown before the owner has decided


def part_before(burst: Burst, is_older: Callable[[Question], bool]) -> Question | None:
    """Return the question that the older pieces make, None if there are none."""
    older = tuple(piece for piece in burst.pieces if is_older(piece))
    return question_of(burst.having(pieces=older)) if older else None


def without(record: ChatRecord, burst: Burst) -> ChatRecord:
    return record.having(bursts=tuple(one for one in record.bursts if one.sender != burst.sender))


def find_piece(record: ChatRecord, message_id: int) -> tuple[Burst, Question] | None:
    """Return a piece and its burst."""
    found = ((burst, piece) for burst in record.bursts for piece in burst.pieces if piece.message_id == message_id)
    return next(found, None)


def change_piece(record: ChatRecord, burst: Burst, piece: Question, text: str) -> ChatRecord:
    """Change the text of a piece, as far as its burst has room for it."""
    others = tuple(one for one in burst.pieces if one != piece)
    changed = piece.having(text=truncate(text, _room(others)))
    pieces = tuple(changed if one == piece else one for one in burst.pieces)
    return record if changed == piece else _replace(record, burst, burst.having(pieces=pieces))


def leave_out(record: ChatRecord, message_ids: Set[int]) -> ChatRecord:
    """Leave out pieces. A burst of which none is left is gone."""
    for burst in record.bursts:
        kept = [piece for piece in burst.pieces if piece.message_id not in message_ids]
        if not kept:
            record = without(record, burst)
        elif len(kept) < len(burst.pieces):
            record = _replace(record, burst, burst.having(pieces=_with_persona(kept, burst.pieces[-1].persona)))
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


def _with_persona(pieces: Sequence[Question], persona: str) -> tuple[Question, ...]:
    """Return `pieces` with the persona at the newest of them only: it may be long."""
    *earlier, newest = pieces
    return *(piece.having(persona="") for piece in earlier), newest.having(persona=persona)


def _room(pieces: Sequence[Question]) -> int:
    """Return how many bytes of text a burst has room for, besides `pieces`."""
    return max(0, MAX_QUESTION_BYTES - sum(len(piece.text.encode()) + 1 for piece in pieces))
