"""Group messages into turns, and turns into sessions that a silence ends."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from training.data.telegram.messages import QUOTABLE
from training.data.workspace import StoredMessage, StoredTurn


def make_turns(rows: Iterable[StoredMessage], *, session_gap: float, burst_gap: float) -> Iterator[StoredTurn]:
    """Yield the turns of `rows`, which come chat by chat, topic by topic, in the order of time. Gaps in seconds.

    Neighbouring messages of one author are one turn while they follow each other within `burst_gap` and answer the
    same message. A message of another author ends a turn; a silence longer than `session_gap` ends a session.
    """
    turn: StoredTurn | None = None
    last: StoredMessage | None = None
    session = 0
    for row in rows:
        if row.fate and row.fate not in QUOTABLE:
            continue
        begins = last is None or (row.chat, row.topic) != (last.chat, last.topic) or row.time - last.time > session_gap
        session += begins
        joins = turn and last and not begins and _goes_on(turn, last, row, burst_gap)
        if turn and not joins:
            yield turn
            turn = None
        if row.fate is None:
            turn = (
                replace(turn, last_row=row.row)
                if turn
                else StoredTurn(row.row, row.row, session, row.author, row.reply_row)
            )
        last = row
    if turn:
        yield turn


def _goes_on(turn: StoredTurn, last: StoredMessage, row: StoredMessage, burst_gap: float) -> bool:
    return (
        row.author == turn.author
        and row.time - last.time <= burst_gap
        and (row.reply_row in (None, turn.reply_row) or turn.first_row <= (row.reply_row or 0) < row.row)
    )
