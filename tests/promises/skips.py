"""A step is given up only if it can't succeed. Its question fails then; if telling that fails too, it is dropped."""

from collections.abc import Iterator

from tests.promises.case import Case
from tests.promises.lines import FOR_EVER
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Skipped
from tests.promises.lines.stored import Record
from tests.promises.of_account import NOTICED, OfAccount

FAULTY, TOO_SMALL = "faulty", "too_small"
"""A step fails because of a fault of the userbot's own, or a store takes no messages of its size."""
APPROVAL = ("Submit", "ExpireApproval")
"""Steps of which nobody hears that they were given up: the answer waits for a decision, or is dropped."""
RECALL, WITHDRAW, SHOW = "Recall", "Withdraw", "ShowDraft"
"""The step that has a draft removed, which otherwise stays, one that removes a message, and one that shows a draft."""


class Skips:
    """Those of one account."""

    def __init__(self, part: OfAccount) -> None:
        self._part = part

    def silence(self, case: Case, *, failed: bool) -> str:
        """What the silence is called if the question was given up, and so was telling its user.

        `failed`: something else may have let it fail before.
        """
        skips = self._of(case)
        if len(skips) > 1 or (skips and failed) or any(one.step in APPROVAL for one in skips):
            case.silenced_at = skips[-1].at
            return "given_up"
        return ""

    def may_fail(self, case: Case) -> bool:
        """Whether a step of its chat was given up while it was in work."""
        return any(one.at <= (case.over_at or FOR_EVER) for one in self._of(case))

    def is_busy(self, record: Record) -> bool:
        """Whether it still has something to do, but for drafts that stay."""
        recalls = sum(one.step == RECALL for one in self._part.skips)
        return not (record.is_readable and record.rests and record.open_drafts <= recalls)

    def wrongs(self) -> Iterator[str]:
        for one in self._part.skips:
            if not any(_explains(noted, one) for noted in self._part.chronicle.of(FAULTY, TOO_SMALL)):
                yield f"given up for nothing: {one.step} in {one.chat}"

    def _of(self, case: Case) -> list[Skipped]:
        question = case.question
        return [one for one in self._part.skips if one.chat == question.chat and one.at >= question.asked_at]


def _explains(noted: Disturbance, skipped: Skipped) -> bool:
    return noted.began <= skipped.at <= noted.ended + NOTICED
