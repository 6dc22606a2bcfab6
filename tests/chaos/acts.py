"""What an account's owner does in the storm, and sees."""

from dataclasses import dataclass, field

from tests.chaos.edges import Edge
from tests.promises.lines import FOR_EVER
from tests.promises.lines.owners import Act as ActLine
from tests.promises.lines.owners import Draft as DraftLine

DRAFT = "Черновик"
"""How a draft begins."""


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

    def line(self, edge: Edge) -> ActLine:
        """As a history has it."""
        chat = None if self.user is None else str(self.user)
        asked, known = tuple(sorted(self.questions)), (self.done_at, self.said, self.back_from, self.back_at)
        return ActLine(edge.kind, self.what, chat, self.at, self.number, asked, *known)


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

    def line(self, edge: Edge) -> DraftLine:
        """As a history has it."""
        left = edge.owner.box.messages.get(self.message_id) if edge.owner else None
        is_left = left is not None and left.text.startswith(DRAFT)
        numbers = tuple(act.number for act in self.acts)
        asked = tuple(sorted(self.questions))
        return DraftLine(edge.kind, self.message_id, self.text, asked, self.seen_at, numbers, is_left)
