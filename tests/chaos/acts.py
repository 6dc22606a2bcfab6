"""What an account's owner does in the storm, and which questions that may silence."""

from dataclasses import dataclass, field

from tests.chaos.chronicle import FOR_EVER
from tests.chaos.edges import OWNER_PAUSE
from tests.chaos.users import PATIENCE, Question

WHOLE_SECONDS = 1.0
"""Telegram's dates are rounded down."""


@dataclass
class Act:
    """`what`: wrote (in a chat), pause, deny, cancel, approve, reject, replace, or another order's name.

    `user`: whom it concerns, None: everybody. `own_id`: its message for the owner, `number`: for the account.
    `questions`: the names of those that a decision is about. `done_at`: when the owner was told so, with `said`.
    A pause or a denial is taken back by the order `back`, sent at `back_from`, carried out by `back_at`.
    """

    what: str
    user: int | None
    at: float
    own_id: int
    number: int
    questions: frozenset[str] = frozenset()
    done_at: float = FOR_EVER
    said: str = ""
    back: str = ""
    back_from: float = FOR_EVER
    back_at: float = FOR_EVER

    def silences(self, question: Question) -> str:
        """What the question's silence is called if this explains it, else nothing."""
        if self.what == "reject":
            return "rejected" if question.name in self.questions else ""
        if self.user not in (None, question.user):
            return ""
        later = self.number > question.message_id and self.at < question.asked_at + PATIENCE
        within = self.at <= question.asked_at <= self.back_at
        just_after = question.asked_at <= self.at + OWNER_PAUSE + WHOLE_SECONDS
        kinds = {
            "wrote": "taken_over" if later else "paused" if just_after else "",
            "cancel": "cancelled" if later else "",
            "pause": "paused" if within else "",
            "deny": "denied" if within else "",
        }
        return kinds.get(self.what, "")

    def holds_at(self, moment: float) -> bool:
        """A question asked then is not answered."""
        return self.what in ("pause", "deny") and self.done_at < moment < self.back_from


@dataclass
class SeenDraft:
    """A draft as it stood in the owner's chat, until `gone_at`. `decide_at`: when the owner does, None: they won't."""

    message_id: int
    text: str
    questions: frozenset[str]
    seen_at: float
    decide_at: float | None
    gone_at: float = FOR_EVER
    acts: list[Act] = field(default_factory=list)
