"""Group messages into turns, and turns into sessions, which end with a long silence."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from training.data.telegram.messages import QUOTABLE
from training.data.workspace import StoredMessage, StoredTurn


def make_turns(rows: Iterable[StoredMessage], *, session_gap: float, burst_gap: float) -> Iterator[StoredTurn]:
    """Yield the turns of `rows`, which are sorted by chat, topic and time. Gaps are in seconds.

    Consecutive messages of one author are one turn if they follow each other within `burst_gap` and answer the same
    message. A message of another author ends a turn; a silence longer than `session_gap` ends a session.
    """
    turn: StoredTurn | None = None
    last: StoredMessage | None = None
    session = 0
    for row in rows:
        if row.drop_reason and row.drop_reason not in QUOTABLE:
            continue
        begins = last is None or (row.chat, row.topic) != (last.chat, last.topic) or row.time - last.time > session_gap
        session += begins
        joins = turn and last and not begins and _continues(turn, last, row, burst_gap)
        if turn and not joins:
            yield turn
            turn = None
        if row.drop_reason is None:
            turn = (
                replace(turn, last_row=row.row)
                if turn
                else StoredTurn(row.row, row.row, session, row.author, row.reply_row)
            )
        last = row
    if turn:
        yield turn


def _continues(turn: StoredTurn, last: StoredMessage, row: StoredMessage, burst_gap: float) -> bool:
    return (
        row.author == turn.author
        and row.time - last.time <= burst_gap
        and (row.reply_row in (None, turn.reply_row) or turn.first_row <= (row.reply_row or 0) < row.row)
    )
