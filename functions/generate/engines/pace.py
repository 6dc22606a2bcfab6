"""How often one request's text is told while it is written."""

from dataclasses import dataclass

from events.runtime.clock import Clock


@dataclass(slots=True)
class Pace:
    """`interval` in seconds; the first time is due at once."""

    interval: float
    clock: Clock
    told_at: float = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time to tell again, which then counts as told."""
        now = self.clock.monotonic()
        if now - self.told_at < self.interval:
            return False
        self.told_at = now
        return True
