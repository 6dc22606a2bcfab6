"""Limit the rate of log lines that would repeat for as long as something is down."""

import asyncio

EVERY = 10.0
"""Seconds between two lines of one kind."""

REMEMBERED = 100
"""Kinds whose last line is remembered. At the limit those due again are dropped, and new ones wait for that."""


class LogThrottle:
    """Allow one line of a kind, which is any text, every `every` seconds, and `REMEMBERED` lines of all kinds.

    Create one instance for each connection or consumer.
    """

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._last: dict[str, float] = {}

    def due(self, kind: str) -> bool:
        """Return whether a line of this kind may be logged now, and count it if so."""
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
        """Allow every kind again, after a recovery."""
        self._last.clear()
