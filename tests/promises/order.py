"""Answers come in the order in which the questions of their chat were taken up."""

from collections.abc import Iterator
from itertools import pairwise

from tests.promises.lines.messages import Asked
from tests.promises.of_account import OfAccount
from tests.promises.texts import FAILURES


def out_of_order(part: OfAccount) -> Iterator[str]:
    """By the userbot's log: a gap in the updates turns round what was asked.

    Drafts are decided about in the owner's order, a failure may be told at once, and pieces are answered together.
    """
    for chat in sorted({question.chat for question in part.asked} - {*part.account.approving}):
        answered = [one for one in part.asked if one.chat == chat and _is_answered_in_turn(one, part)]
        taken_up = sorted(answered, key=lambda one: part.book.asked[chat, one.message_id][0])
        for first, second in pairwise(taken_up):
            if part.outcomes(first)[0].id > part.outcomes(second)[0].id:
                yield f"out of order: {second.name} {second.text} was answered before {first.text}"


def _is_answered_in_turn(question: Asked, part: OfAccount) -> bool:
    """Taken up once for all that is known, and answered."""
    key = question.chat, question.message_id
    once = len(part.book.asked.get(key, ())) == 1 and key not in part.book.joined | part.book.collected.keys()
    ends = part.outcomes(question) if once and not part.is_forgotten(question) else []
    return bool(ends) and ends[0].text not in FAILURES
