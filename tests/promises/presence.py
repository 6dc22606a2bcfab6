"""What becomes of questions while the bot that answers them is sent away: by an order, in Telegram, or muted.

After an order it is silent at once, and in the end nothing is stored about somebody who does not come back.
"""

from collections.abc import Iterator

from tests.promises.case import Case
from tests.promises.lines import FOR_EVER
from tests.promises.lines.messages import Sent
from tests.promises.lines.owners import Absent
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.waits import longest

LEFT, REMOVED, MUTED, UNKNOWN = "disconnect", "removed", "muted", "unknown"
"""By an order; in Telegram; only the right to answer; and what was known of the connection was lost."""
SOON = 2.0
"""Seconds in which what is being sent arrives."""


class Presence:
    """Of the bot that answers for one account."""

    def __init__(self, part: OfAccount) -> None:
        self._part = part

    def silence(self, case: Case) -> str:
        """What the silence is called if its bot was sent away before its outcome."""
        asked_at = case.question.asked_at
        for absent in self._part.absences:
            end = min(case.settled_at or FOR_EVER, asked_at + longest(case.question, self._part))
            if asked_at <= absent.back_at and absent.at <= end and self._explains(absent, case):
                case.silenced_at = max(asked_at, absent.at)
                return "disconnected"
        return ""

    def _explains(self, absent: Absent, case: Case) -> bool:
        """What was asked before has an outcome soon; that the bot may not answer is logged."""
        question, settings = case.question, self._part.settings
        if question.asked_at < absent.at:
            soon = NOTICED + settings.approve_for + self._part.longest_flood
            since = max(question.asked_at, *case.asked, 0.0)
            if absent.at - since > soon and not self._is_disturbed(since, absent.at):
                return False
        return absent.how != MUTED or self._is_logged(absent, case)

    def _is_logged(self, absent: Absent, case: Case) -> bool:
        until, refused = absent.back_at + NOTICED, self._part.book.undeliverable.get(case.question.chat, ())
        if (case.question.chat, case.question.message_id) in self._part.book.unheard:
            return True
        return any(absent.at <= at <= until for at in refused) or self._is_disturbed(absent.at, until)

    def wrongs(self) -> Iterator[str]:
        for absent in self._part.absences:
            if absent.how in (LEFT, REMOVED) and not self._is_forgotten(absent):
                yield from self._answered(absent)
        for stored in self._part.stored if not any(map(self._is_forgotten, self._part.absences)) else ():
            yield f"still stored about who has left: {stored.what}"

    def _answered(self, absent: Absent) -> Iterator[str]:
        for question in self._part.asked:
            for end in self._part.outcomes(question):
                if absent.since < question.asked_at < absent.back_at:
                    yield f"answered although disconnected: {question.name} {question.text}"
                elif absent.since + SOON < _at(end) < absent.back_at and not self._is_disturbed(absent.since, _at(end)):
                    yield f"answered after it was disconnected: {question.name} {question.text}"

    def _is_forgotten(self, absent: Absent) -> bool:
        """A lost store forgets who has left, as long as their connection in Telegram goes on."""
        return any(one.touches(absent.at, absent.back_at, slack=NOTICED) for one in self._part.chronicle.of("emptied"))

    def _is_disturbed(self, begin: float, end: float) -> bool:
        return any(one.touches(begin, end, slack=NOTICED) for one in self._part.chronicle.disturbances)


def _at(sent: Sent) -> float:
    return sent.edited_at or sent.at
