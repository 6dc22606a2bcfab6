"""How often one request's text is told while it is written."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """`interval` in seconds; the first time is due at once."""

    interval: float
    told_at: float = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time to tell again, which then counts as told."""
        now = time.monotonic()
        if now - self.told_at < self.interval:
            return False
        self.told_at = now
        return True
