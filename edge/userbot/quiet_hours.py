"""Quiet hours: times of the day at which there are no answers, as the owner writes them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

DAY = 24 * 60
_SPAN = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\s*[-–]\s*(24:00|(?:[01]?[0-9]|2[0-3]):[0-5][0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From minute `start` of the day up to minute `end`, over midnight if that is earlier."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Read `23:00-07:30`. Raises ValueError."""
        found = _SPAN.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text.strip()[:20]!r} is not a time span such as 23:00-07:30")
        hour, minute = found[3].split(":")
        start, end = int(found[1]) * 60 + int(found[2]), int(hour) * 60 + int(minute)
        if start == end:
            raise ValueError(f"{text.strip()!r} starts when it ends; 00:00-24:00 is the whole day")
        return cls(start, end)

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.end))

    def contain(self, minute: int) -> bool:
        """Return whether they contain a minute of the day."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def is_quiet(hours: Iterable[QuietHours], local: datetime) -> bool:
    """Return whether the wall clock of `local` shows quiet hours."""
    minute = local.hour * 60 + local.minute
    return any(span.contain(minute) for span in hours)


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name. Raises ValueError."""
    if name == "UTC":
        return UTC  # on a machine without a database of time zones too
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError("this machine knows no time zones but UTC; pip install tzdata") from None
        raise ValueError(f"there is no time zone {name[:40]!r}; write one such as Europe/Berlin") from None
