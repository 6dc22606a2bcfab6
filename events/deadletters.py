"""Dead letters: requests that nobody could answer, as they were; headers say what became of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from events.event import Event

REASON_HEADER = "timokha-reason"
DETAIL_HEADER = "timokha-detail"
ATTEMPTS_HEADER = "timokha-attempts"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`event` is the request with its own headers only."""

    event: Event
    reason: str
    detail: str
    attempts: str
    since: datetime

    @classmethod
    def of(cls, stored: Event, since: datetime) -> Self:
        headers = dict(stored.headers)
        reason, detail, attempts = (headers.pop(name, "?") for name in (REASON_HEADER, DETAIL_HEADER, ATTEMPTS_HEADER))
        return cls(replace(stored, headers=headers), reason, detail, attempts, since)
