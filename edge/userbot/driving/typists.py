"""Who is typing in a chat: their burst waits, as more is to come."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from edge.userbot.chat.incoming import Typing
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
        now = self._clock.monotonic()
        self._until = {
            sender: until for sender, until in self._until.items() if until > now and sender != typing.sender
        }
        if not typing.stops and len(self._until) < MAX_TYPISTS:
            self._until[typing.sender] = now + SHOWN

    def until(self) -> Mapping[str, datetime]:
        """Return by sender until when those count as typing who do so now."""
        now, time = self._clock.monotonic(), self._clock.now()
        return {sender: time + timedelta(seconds=until - now) for sender, until in self._until.items() if until > now}
