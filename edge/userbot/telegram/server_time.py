"""The server's time as its messages tell it: pyrogram believes this machine's clock, which may be wrong or set."""

from datetime import timedelta
from typing import Any

import structlog
from pyrogram import raw
from pyrogram.raw.core import Message, MsgContainer

from edge.userbot.telegram.faults import ABOUT_TIME
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle

OFF = 15.0
"""Seconds by which the estimate of the server's time may be off before it is corrected."""
WORTH_SAYING = timedelta(seconds=30)
SAID_EVERY = 3600.0
"""Seconds between two lines about the same difference."""
TICKS = 2**32
"""Message ids are times: so many of them make a second."""

log = structlog.get_logger(__name__)


class ServerTime:
    """An estimate that follows the monotonic clock between corrections, whatever happens to the time of day.

    The monotonic clock may stop while the machine sleeps; then the server's next message corrects the estimate.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now().timestamp() - clock.monotonic()
        self._last = 0
        self._heard = False
        self._log_throttle = LogThrottle(SAID_EVERY)

    def message_id(self) -> int:
        """Return the id of the next message to the server: later than all before, divisible by 4."""
        self._last = max(int(self._now() * TICKS) & ~3, self._last + 4)
        return self._last

    def ahead(self) -> timedelta:
        """Return how far this machine's clock is ahead of Telegram's; 0 until Telegram's is known, or if it is near."""
        return timedelta(seconds=self._clock.now().timestamp() - self._now()) if self._heard else timedelta(0)

    def hear(self, message: Message) -> None:
        """Take in a message of the server's, which may be an old one, but can't be from the future."""
        bodies = [inner.body for inner in _parts(message)]
        refused = any(_is_about_time(body) for body in bodies)
        is_new = refused or any(isinstance(body, raw.types.Pong) for body in bodies)
        sent = message.msg_id / TICKS
        self._heard = self._heard or is_new
        if is_new or sent > self._now():
            self._correct(sent, tolerance=0.0 if refused else OFF)

    def report(self) -> None:
        """Say, now and then, that this machine's clock is wrong."""
        ahead = self.ahead()
        if abs(ahead) <= WORTH_SAYING or not self._log_throttle.due(f"{ahead / timedelta(minutes=1):.0f}"):
            return
        seconds = round(ahead.total_seconds())
        log.warning(
            "telegram.clock_off", seconds=seconds, advice=f"this machine's clock is {describe_offset(ahead)}; set it"
        )

    def _now(self) -> float:
        return self._clock.monotonic() + self._offset

    def _correct(self, now: float, *, tolerance: float) -> None:
        if abs(now - self._now()) <= tolerance:
            return
        self._offset = now - self._clock.monotonic()
        self._last = 0


def describe_offset(ahead: timedelta) -> str:
    """Return `ahead` in words: `1200 s ahead of Telegram's`."""
    seconds = round(ahead.total_seconds())
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} Telegram's"


def tells_of_new_session(message: Message) -> bool:
    """Whether the server has begun the session anew, so that what it had to tell before may be lost."""
    return any(isinstance(inner.body, raw.types.NewSessionCreated) for inner in _parts(message))


def _parts(message: Message) -> list[Any]:
    return list(message.body.messages) if isinstance(message.body, MsgContainer) else [message]


def _is_about_time(body: Any) -> bool:
    return isinstance(body, raw.types.BadMsgNotification) and body.error_code in ABOUT_TIME
