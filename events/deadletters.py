"""Dead letters: requests that failed for good, unchanged; headers say why."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from events.event import ORIGIN_HEADERS, Event

REASON_HEADER = "timokha-reason"
DETAIL_HEADER = "timokha-detail"
ATTEMPTS_HEADER = "timokha-attempts"
CUT_HEADER = "timokha-cut"
"""Says which part of a dead letter was too large for the broker."""

OURS = (REASON_HEADER, DETAIL_HEADER, ATTEMPTS_HEADER)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A request that failed for good. `event` has the request's own headers only."""

    event: Event
    reason: str
    detail: str
    attempts: str
    since: datetime

    @classmethod
    def of(cls, stored: Event, since: datetime) -> Self:
        headers = dict(stored.headers)
        reason, detail, attempts = (headers.pop(name, "?") for name in OURS)
        return cls(replace(stored, headers=headers), reason, detail, attempts, since)


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Bytes of a shortened dead letter."""

    headers: int
    body: int


SIZE_LIMITS = (SizeLimits(16 * 1024, 64 * 1024), SizeLimits(2 * 1024, 1024))
"""For dead letters that are too large: JetStream takes 64 KB of headers, and `max_payload` altogether."""


def truncations(letter: Event) -> Iterator[Event]:
    """Yield shorter and shorter versions of a dead letter that is too large for a broker."""
    for limits in SIZE_LIMITS:
        yield _truncated(letter, limits)


def _truncated(letter: Event, limits: SizeLimits) -> Event:
    """Return what fits into `limits`, with a header that says what is missing.

    The outcome comes first, then where the reply goes, then the smallest headers.
    """
    kept: dict[str, str] = {}
    left = limits.headers
    for name, value in sorted(letter.headers.items(), key=_rank):
        left -= _size(name, value)
        if left < 0:
            break
        kept[name] = value
    missing = f"{len(letter.headers) - len(kept)} of {len(letter.headers)} headers"
    if len(letter.body) > limits.body:
        missing += f", {len(letter.body) - limits.body} of {len(letter.body)} bytes of the body"
    return replace(letter, body=letter.body[: limits.body], headers={**kept, CUT_HEADER: missing})


def _rank(header: tuple[str, str]) -> tuple[int, int]:
    name, value = header
    return 0 if name in OURS else 1 if name in ORIGIN_HEADERS else 2, _size(name, value)


def _size(name: str, value: str) -> int:
    return len(name.encode()) + len(value.encode())
