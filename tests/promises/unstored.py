"""A message is refused, or dropped, because it could not be stored only if a store took nothing of its size then."""

from collections.abc import Iterator

from tests.promises.case import Case
from tests.promises.lines import FOR_EVER
from tests.promises.of_account import NOTICED, OfAccount
from tests.promises.skips import TOO_SMALL

DROPPED = "dropped"
"""What the log calls a message of which not even the refusal could be stored."""


class Unstored:
    """What one account's store did not take."""

    def __init__(self, part: OfAccount) -> None:
        self._part = part

    def silence(self, case: Case) -> str:
        """What the silence is called if the question was dropped."""
        lines = self._part.book.unstored.get((case.question.chat, case.question.message_id), [])
        if dropped := [at for at, effect in lines if effect == DROPPED]:
            case.silenced_at = dropped[-1]
            return "not_stored"
        return ""

    def may_fail(self, case: Case) -> bool:
        """Whether a store that it, its request or its reply goes to took nothing of some size meanwhile."""
        begin, end = case.question.asked_at, case.over_at or FOR_EVER
        return any(noted.touches(begin, end) for noted in self._part.chronicle.of(TOO_SMALL))

    def wrongs(self) -> Iterator[str]:
        for (chat, message), lines in self._part.book.unstored.items():
            if not all(self._is_too_small(at) for at, _ in lines):
                yield f"not stored for nothing: {chat} {message}"

    def _is_too_small(self, at: float) -> bool:
        return any(noted.touches(at, at, slack=NOTICED) for noted in self._part.chronicle.of(TOO_SMALL))
