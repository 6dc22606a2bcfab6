"""What an owner does, until it is a line of a history."""

from dataclasses import dataclass

from tests.promises.lines import FOR_EVER
from tests.promises.lines.owners import Act as ActLine
from tests.promises.texts import NOT_NOW


@dataclass
class Act:
    """As in a history; `back`: the order that takes it back, empty if there is none."""

    what: str
    user: int | None
    at: float
    number: int
    questions: tuple[str, ...] = ()
    done_at: float = FOR_EVER
    said: str = ""
    back: str = ""
    back_from: float = FOR_EVER
    back_at: float = FOR_EVER
    own_id: int = 0
    """Of its message for the owner: a bot's owner has another account than the bot."""
    times: int = 1
    """How often the owner was told."""

    @property
    def is_void(self) -> bool:
        """Whether Telegram did not let whom it names be looked up, so that nothing was done."""
        return self.said.startswith(NOT_NOW)

    def line(self, edge: str) -> ActLine:
        chat, done = None if self.user is None else str(self.user), (self.done_at, self.said)
        what = "void" if self.is_void else self.what
        back = self.back_from, self.back_at, self.times
        return ActLine(edge, what, chat, self.at, self.number, self.questions, *done, *back)
