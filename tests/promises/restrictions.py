"""In a group that takes none of its messages the account is silent for a while; nowhere else, and for nothing else."""

from collections.abc import Iterator

from tests.promises.case import Case
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import LeftAlone
from tests.promises.of_account import NOTICED, OfAccount

REST = 3600.0
"""Seconds."""
REFUSED = "send_refused"
"""A refusal that waits for the next message."""
RESTRICTED = "restricted"
"""The account may not write in the group, or is not in it."""
AT_ONCE = 1.0
"""Seconds between a refusal and what the log says of it."""


class Restrictions:
    """Those of one account."""

    def __init__(self, part: OfAccount) -> None:
        self._part = part

    def silence(self, case: Case) -> str:
        """What the silence is called if the chat was left alone when the question came, or while it was in work."""
        for left in self._part.left_alone:
            if left.chat == case.question.chat and self._explains(left, case):
                case.silenced_at = max(left.at, case.question.asked_at)
                return RESTRICTED
        return ""

    def _explains(self, left: LeftAlone, case: Case) -> bool:
        key, asked_at = (case.question.chat, case.question.message_id), case.question.asked_at
        if RESTRICTED in self._part.book.outcomes.get(key, ()):
            return True
        if not case.asked and key not in self._part.book.collected:
            late = self._part.chronicle.longest_quiet(asked_at, left.at, slack=NOTICED) == 0
            return left.at + REST > asked_at and (asked_at > left.at or late)
        refused = self._part.book.undeliverable.get(case.question.chat, [])
        return left.at > asked_at and any(at > left.at - AT_ONCE for at in refused)

    def wrongs(self) -> Iterator[str]:
        for left in self._part.left_alone:
            if not any(_is_for(left, noted) for noted in self._part.chronicle.of(REFUSED, RESTRICTED)):
                yield f"left alone for nothing: {left.chat}"


def _is_for(left: LeftAlone, noted: Disturbance) -> bool:
    return noted.began <= left.at and (noted.what == REFUSED or left.at <= noted.ended + NOTICED)
