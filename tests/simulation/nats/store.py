"""What a simulated NATS server has on disk: it outlives the server, and nothing in it belongs to a connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.nats.streams import Stream

SECOND = 1_000_000_000
"""Nanoseconds, in which JetStream gives all times."""


@dataclass
class Store:
    """`wall_clock`: seconds since 1970."""

    wall_clock: Callable[[], float]
    streams: "dict[str, Stream]" = field(default_factory=dict)
    _last: int = 0

    def now(self) -> int:
        return int(self.wall_clock() * SECOND)

    def stamp(self) -> int:
        """Return nanoseconds since 1970, a microsecond apart at least: clients keep no less, and tell stores by it."""
        self._last = max(self.now(), self._last + 1000)
        return self._last


def text_of(nanoseconds: int) -> str:
    """Return a time as the API writes it."""
    if not nanoseconds:
        return "0001-01-01T00:00:00Z"
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:09d}Z"


def time_of(text: str) -> int:
    """Return what `text_of` has written, in nanoseconds, to the microsecond."""
    since = datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000
