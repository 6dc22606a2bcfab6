"""Triggers: which messages without the prefix are answered, as the owner lists them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_ENTRY = re.compile(r"([a-z]+)(?:\s*:\s*([0-9]{1,3})\s*%)?")
ALL = 100
"""Percent."""


class Trigger(StrEnum):
    """A kind of messages."""

    PRIVATE = "private"
    """Every message in a private chat."""
    REPLIES = "replies"
    """Replies to one of our messages."""
    MENTIONS = "mentions"
    """Messages in a group that name the account."""
    QUESTIONS = "questions"
    """Messages with a question mark."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Triggers:
    """For each kind of messages, the share of them that is answered, above 0 and up to 1."""

    shares: tuple[tuple[Trigger, float], ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Triggers":
        """Read entries such as `replies` and `any:5%`. Raises ValueError."""
        return cls(tuple(_read(entry) for entry in entries))

    def __bool__(self) -> bool:
        return bool(self.shares)


def entry(text: str) -> str:
    """Return an entry as it is written back. Raises ValueError."""
    _read(text)
    return "".join(text.lower().split())


def _read(text: str) -> tuple[Trigger, float]:
    found = _ENTRY.fullmatch(text.strip().lower())
    kinds = ", ".join(Trigger)
    if not found or found[1] not in set(Trigger):
        raise ValueError(f"{text.strip()[:40]!r} is no trigger; there are {kinds}, each also with a share, as any:5%")
    percent = int(found[2] or ALL)
    if not 0 < percent <= ALL:
        raise ValueError(f"{text.strip()[:40]!r}: a share is above 0% and at most 100%")
    return Trigger(found[1]), percent / ALL


NO_TRIGGERS = Triggers()
