"""Delays: how long a question without the prefix waits for its answer, as the owner writes it."""

import re
from dataclasses import dataclass
from datetime import timedelta

_DELAY = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)(?:\s*[-–]\s*([0-9]{1,4}(?:\.[0-9]{1,3})?))?")
MOST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delay:
    """From `least` to `most`."""

    least: timedelta = timedelta()
    most: timedelta = timedelta()

    @classmethod
    def parse(cls, text: str) -> "Delay":
        """Read seconds, or the least and the most of them: `3`, `2-10`. Raises ValueError."""
        found = _DELAY.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text.strip()[:20]!r} is not a number of seconds, or two such as 2-10")
        least = timedelta(seconds=float(found[1]))
        most = timedelta(seconds=float(found[2])) if found[2] else least
        if not least <= most <= MOST:
            raise ValueError(f"{text.strip()!r}: the first number is the smaller one, and {MOST.seconds} the most")
        return cls(least, most)

    def __str__(self) -> str:
        least, most = f"{self.least.total_seconds():g}", f"{self.most.total_seconds():g}"
        return least if least == most else f"{least}-{most}"

    def at(self, share: float) -> timedelta:
        """Return what lies at `share`, from 0 to 1, of the way from the least to the most."""
        return self.least + share * (self.most - self.least)


NO_DELAY = Delay()
