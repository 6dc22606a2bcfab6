"""No chat is busy with a question for longer than its deadline allows."""

from collections.abc import Iterator, Sequence

from tests.promises.case import Case
from tests.promises.lines.messages import Asked
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.pieces import Pieces

GRACE = 10.0
"""Seconds beyond the deadline and the longest flood wait."""


def too_long(cases: Sequence[Case], part: OfAccount, pieces: Pieces) -> Iterator[str]:
    """From when it was taken up, or the one before it was over. What was out of order in the end does not count."""
    over: dict[str, float] = {}
    for case in sorted(cases, key=lambda case: _taken_up_at(case, pieces)):
        end, chat = case.question.answered_at or case.settled_at, case.question.chat
        if end is None:
            continue
        begin = max(_taken_up_at(case, pieces), over.get(chat, 0.0))
        due = begin + longest(case.question, part)
        if part.chronicle.longest_quiet(due, end, slack=NOTICED) > GRACE:
            yield f"busy for {end - begin:.0f} s: {case.question.name} {case.question.text}"
        over[chat] = max(end, over.get(chat, 0.0))


def _taken_up_at(case: Case, pieces: Pieces) -> float:
    """By the log, if that says so."""
    added = pieces.last_added_at(case.question)
    return added if added is not None else min(case.asked, default=case.question.asked_at)


def longest(question: Asked, part: OfAccount) -> float:
    """Seconds that its outcome may take from when it is taken up."""
    settings = part.settings
    approval = settings.approve_for if question.chat in part.account.approving else 0.0
    return settings.deadline + part.longest_flood + approval + (settings.collects if question.is_piece else 0.0)
