"""An account's changes as Telegram numbers them (https://core.telegram.org/api/updates), and how to fetch them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict

from edge.userbot.chat.incoming import Message
from events.errors import TimokhaError


class UpdatesState(BaseModel):
    """A position in the account's changes. `pts` counts them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pts: int = 0
    qts: int = 0
    date: int = 0
    seq: int = 0

    def at(self, pts: int) -> Self:
        return self.model_copy(update={"pts": pts})


@dataclass(frozen=True, slots=True)
class LiveChange:
    """A live change from `pts - count` to `pts`. `message`: the message that it contains, if it may be for the bot."""

    pts: int
    count: int
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes may have been missed, up to `pts` if that is known."""

    why: str
    pts: int | None = None


@dataclass(frozen=True, slots=True)
class UpdatesDifference:
    """The messages of the next changes after a state, in order, and the state after them; more if not `complete`."""

    state: UpdatesState
    messages: Sequence[Message]
    complete: bool


@dataclass(frozen=True, slots=True)
class TooLong:
    """Telegram has too many changes for a difference: go on from `pts`."""

    pts: int


class StateLost(TimokhaError):
    """There is no state to go on from: Telegram does not know the saved one, or it can't be read."""


class Phase(StrEnum):
    """What the catch-up fetches from an `UpdatesSource`."""

    FIRST_STATE = "first state"
    CHECK = "check of the saved state"
    DIFFERENCE = "difference"
    NEW_STATE = "new state"
    RECENT = "recent messages"


class UpdatesSource(Protocol):
    """Every method raises MessengerError or FloodWaited."""

    async def state(self) -> UpdatesState: ...

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        """Raises StateLost as well."""
        ...

    async def recent(self, since: datetime) -> list[Message]:
        """Return all private messages from `since` on, the oldest first."""
        ...
