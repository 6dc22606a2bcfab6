"""Read the time at which a message of an export was written."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
"""Unix time of the first and the last second of the years 1 to 9999, which `datetime` can represent."""
_CLOCK_SET_BACK = 3600


@dataclass(frozen=True, slots=True)
class MessageTime:
    """`time`: Unix time in seconds. `hour`: of the day, on the exporting computer's clock."""

    time: int
    hour: int
    local: bool
    """Whether `time` is local time of that clock too, as in older exports."""

    def corrected_after(self, latest: int) -> "MessageTime":
        """Return the time of a message that follows one of time `latest`, corrected if the clock was set back."""
        back = latest - self.time
        return replace(self, time=latest) if self.local and 0 < back <= _CLOCK_SET_BACK else self


def message_time(item: Mapping[str, Any]) -> MessageTime | None:
    """Return the time of `item`, or None if it has no valid date."""
    clock = _clock(item.get("date"))
    unix = item.get("date_unixtime")
    if unix is not None:
        seconds = _seconds(unix)
        hour = clock.hour if clock else (seconds or 0) // 3600 % 24
        return None if seconds is None else MessageTime(seconds, hour, local=False)
    if clock is None:
        return None
    known = clock if clock.tzinfo else clock.replace(tzinfo=UTC)
    return MessageTime(round(known.timestamp()), clock.hour, local=clock.tzinfo is None)


def _clock(text: Any) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    return None


def _seconds(unix: Any) -> int | None:
    if isinstance(unix, bool) or not isinstance(unix, (str, int, float)):
        return None
    try:
        seconds = int(unix)
    except (ValueError, OverflowError):
        return None
    return seconds if _EARLIEST <= seconds <= _LATEST else None
