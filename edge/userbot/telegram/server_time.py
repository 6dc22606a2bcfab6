"""Estimate the server's time from its messages: this machine's clock, which pyrogram relies on, may be wrong."""

from datetime import timedelta
from typing import Any

import structlog
from pyrogram import raw
from pyrogram.raw.core import Message, MsgContainer

from edge.userbot.telegram.faults import ABOUT_TIME
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle

TOLERANCE = 15.0
"""Seconds by which the estimate of the server's time may be off before it is corrected."""
WORTH_LOGGING = timedelta(seconds=30)
LOG_INTERVAL = 3600.0
"""Seconds between two log lines about the same difference."""
TICKS = 2**32
"""Message ids contain times: their unit is a second / 2**32."""

log = structlog.get_logger(__name__)


class ServerTime:
    """An estimate that follows the monotonic clock between corrections, even if the time of day is set.

    The monotonic clock may stop while the machine sleeps; then the server's next message corrects the estimate.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now().timestamp() - clock.monotonic()
        self._last = 0
        self._is_known = False
        self._log_throttle = LogThrottle(LOG_INTERVAL)

    def message_id(self) -> int:
        """Return the id of the next message to the server: later than all before, divisible by 4."""
        self._last = max(int(self.now() * TICKS) & ~3, self._last + 4)
        return self._last

    def clock_offset(self) -> timedelta:
        """Return how far this machine's clock is ahead of Telegram's; 0 until Telegram's is known, or if it is near."""
        return timedelta(seconds=self._clock.now().timestamp() - self.now()) if self._is_known else timedelta(0)

    def learn_from(self, message: Message) -> None:
        """Correct the estimate by the time of a server message, which may be old but not from the future."""
        bodies = [inner.body for inner in _parts(message)]
        refused = any(_is_about_time(body) for body in bodies)
        is_new = refused or any(isinstance(body, raw.types.Pong) for body in bodies)
        sent = message.msg_id / TICKS
        self._is_known = self._is_known or is_new
        if is_new or sent > self.now():
            self._correct(sent, tolerance=0.0 if refused else TOLERANCE)

    def report(self) -> None:
        """Log from time to time that this machine's clock is wrong."""
        clock_offset = self.clock_offset()
        if abs(clock_offset) <= WORTH_LOGGING or not self._log_throttle.due(
            f"{clock_offset / timedelta(minutes=1):.0f}"
        ):
            return
        seconds = round(clock_offset.total_seconds())
        log.warning(
            "telegram.clock_off",
            seconds=seconds,
            advice=f"this machine's clock is {describe_offset(clock_offset)}; set it",
        )

    def now(self) -> float:
        """Return the server's time, in seconds since 1970."""
        return self._clock.monotonic() + self._offset

    def _correct(self, now: float, *, tolerance: float) -> None:
        if abs(now - self.now()) <= tolerance:
            return
        self._offset = now - self._clock.monotonic()
        self._last = 0


def describe_offset(clock_offset: timedelta) -> str:
    """Return an offset in words: `1200 s ahead of Telegram's`."""
    seconds = round(clock_offset.total_seconds())
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} Telegram's"


def tells_of_new_session(message: Message) -> bool:
    """Return whether the server has created a new session, so that updates of the old one may be lost."""
    return any(isinstance(inner.body, raw.types.NewSessionCreated) for inner in _parts(message))


def _parts(message: Message) -> list[Any]:
    return list(message.body.messages) if isinstance(message.body, MsgContainer) else [message]


def _is_about_time(body: Any) -> bool:
    return isinstance(body, raw.types.BadMsgNotification) and body.error_code in ABOUT_TIME
