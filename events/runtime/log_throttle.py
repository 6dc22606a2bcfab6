"""Rate limit for log lines that would repeat for as long as something is down."""

import asyncio

EVERY = 10.0
"""Seconds between two lines of a kind."""

REMEMBERED = 100
"""Kinds. When there are more, those that are due again are forgotten; a new one has to wait for that."""


class LogThrottle:
    """Allows one line of a kind every `every` seconds, and `REMEMBERED` of all kinds; a kind is any text.

    One instance per connection or consumer.
    """

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._last: dict[str, float] = {}

    def due(self, kind: str) -> bool:
        """Return whether a line of this kind may be written now."""
        now = asyncio.get_running_loop().time()
        last = self._last.get(kind)
        if last is not None and now - last < self._every:
            return False
        if len(self._last) >= REMEMBERED:
            self._last = {other: when for other, when in self._last.items() if now - when < self._every}
            if len(self._last) >= REMEMBERED:
                return False
        self._last[kind] = now
        return True

    def reset(self) -> None:
        """Allow every kind again: what was down is back."""
        self._last.clear()
