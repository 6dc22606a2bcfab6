"""Who is typing in a chat: their burst waits, as more is to come."""

from edge.userbot.chat.incoming import Typing
from edge.userbot.chat.record import Burst
from events.runtime.clock import Clock

SHOWN = 6.0
"""Seconds until an action is over that is not repeated (https://core.telegram.org/method/messages.setTyping)."""
MAX_TYPISTS = 64


class Typists:
    """Kept in memory only: after a crash a burst is due when its record says so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def note(self, typing: Typing) -> None:
        """Take in that somebody types, or stops."""
        self._until.pop(typing.sender, None)
        if not typing.stops and len(self._until) < MAX_TYPISTS:
            self._until[typing.sender] = self._clock.monotonic() + SHOWN

    def seconds_left(self, burst: Burst) -> float:
        """Return for how long the burst is to wait for its person, at most until it has to be closed."""
        now = self._clock.monotonic()
        typed = max(0.0, self._until.get(burst.sender, now) - now)
        return min(typed, max(0.0, (burst.close_by - self._clock.now()).total_seconds()))
