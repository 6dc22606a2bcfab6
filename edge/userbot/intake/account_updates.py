"""An account's changes as Telegram numbers them (https://core.telegram.org/api/updates), and how to fetch them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict

from events.errors import TimokhaError


class Counter(StrEnum):
    """Telegram counts an account's changes apart: `PTS` its messages, `QTS` those of a bot's business connections."""

    PTS = "pts"
    QTS = "qts"


class UpdatesState(BaseModel):
    """A position in the account's changes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pts: int = 0
    qts: int = 0
    date: int = 0
    seq: int = 0

    def at(self, number: int, counter: Counter = Counter.PTS) -> Self:
        return self.model_copy(update={counter.value: number})

    def of(self, counter: Counter) -> int:
        number: int = getattr(self, counter.value)
        return number

    def is_behind(self, other: Self, counters: Sequence[Counter]) -> bool:
        """Return whether any of `counters` is lower than in `other`."""
        return any(self.of(counter) < other.of(counter) for counter in counters)

    def not_after(self, other: Self, counters: Sequence[Counter]) -> Self:
        """Return this state with those of `counters` that are lower in `other` as they are there."""
        return self.model_copy(update={one.value: min(self.of(one), other.of(one)) for one in counters})


class Keyed(Protocol):
    """What a change contains: a message, or something else that takes effect."""

    @property
    def key(self) -> tuple[str, int] | None:
        """What tells it from all others. None for what says how something is now: if repeated, it must count again."""
        ...


@dataclass(frozen=True, slots=True)
class LiveChange:
    """A live change from `number - count` to `number`. `content`: what it contains, if it may be for us."""

    number: int
    count: int
    content: Keyed | None = None
    counter: Counter = Counter.PTS


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes may have been missed, up to `pts` if that is known."""

    why: str
    pts: int | None = None


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A change of a supergroup, which counts its changes itself. `group`: its chat, None for all of them."""

    group: str | None
    change: LiveChange | Gap


@dataclass(frozen=True, slots=True)
class UpdatesDifference:
    """The messages of the next changes after a state, in order, and the state after them; more if not `complete`."""

    state: UpdatesState
    messages: Sequence[Keyed]
    complete: bool


@dataclass(frozen=True, slots=True)
class TooLong:
    """Telegram has too many changes for a difference: go on from `pts`. It says nothing about `qts`."""

    pts: int


class StateLost(TimokhaError):
    """There is no state to go on from: Telegram does not know the saved one, or it can't be read."""


class NotShown(TimokhaError):
    """Telegram does not show the account these changes: it is not, or no longer, in the group."""


class Phase(StrEnum):
    """What the catch-up fetches from an `UpdatesSource`."""

    FIRST_STATE = "first state"
    CHECK = "check of the saved state"
    DIFFERENCE = "difference"
    NEW_STATE = "new state"
    RECENT = "recent messages"


class UpdatesSource(Protocol):
    """Every method raises MessengerError or FloodWaited, and, for a supergroup, NotShown."""

    @property
    def can_read_back(self) -> bool:
        """Return whether `recent` can return messages: Telegram shows bots no histories."""
        ...

    async def state(self) -> UpdatesState: ...

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        """Raises StateLost as well."""
        ...

    async def recent(self, since: datetime) -> Sequence[Keyed]:
        """Return all messages from `since` on in the chats that these changes are about, the oldest first."""
        ...
