"""Log lines that would come again and again while something is away: one of a kind now and then."""

import asyncio

EVERY = 10.0
"""Seconds between two lines of a kind."""

REMEMBERED = 100
"""Kinds; beyond that, those whose time is over are forgotten."""


class Seldom:
    """For one connection or consumer; a kind is any text."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._last: dict[str, float] = {}

    def due(self, kind: str) -> bool:
        """Whether a line of this kind may be written now."""
        now = asyncio.get_running_loop().time()
        last = self._last.get(kind)
        if last is not None and now - last < self._every:
            return False
        if len(self._last) >= REMEMBERED:
            self._last = {other: when for other, when in self._last.items() if now - when < self._every}
        self._last[kind] = now
        return True

    def reset(self) -> None:
        """It is back: when it goes again, that is news."""
        self._last.clear()
