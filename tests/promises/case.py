"""All that is known of one question."""

from dataclasses import dataclass

from tests.promises.lines.messages import Asked
from tests.promises.of_account import OfAccount


@dataclass
class Case:
    """Times None: not seen."""

    question: Asked
    ends: list[str]
    seen: bool
    asked: list[float]
    ignored_at: float | None
    settled_at: float | None
    silenced_at: float | None = None
    """When its store was emptied, its outcome refused, or its owner against it."""

    @property
    def over_at(self) -> float | None:
        """When its outcome was there for the user, or never would be."""
        return self.question.answered_at or self.settled_at or self.silenced_at


def case_of(question: Asked, part: OfAccount) -> Case:
    key, record = (question.chat, question.message_id), part.records.get(question.chat)
    return Case(
        question,
        [end.text for end in part.outcomes(question)],
        question.message_id in (record.seen if record else ()),
        part.book.asked.get(key, []),
        part.book.ignored.get(key),
        part.book.settled.get(key),
    )
