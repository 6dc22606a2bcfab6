"""The server's time as its messages tell it: pyrogram believes this machine's clock, which may be wrong or set."""

from typing import Any

import structlog
from pyrogram import raw
from pyrogram.raw.core import Message, MsgContainer

from edge.userbot.telegram.faults import ABOUT_TIME
from events.runtime.clock import Clock

OFF = 15.0
"""Seconds by which the estimate of the server's time may be off before it is corrected."""
WORTH_SAYING = 30.0
TICKS = 2**32
"""Message ids are times: so many of them make a second."""

log = structlog.get_logger(__name__)


class ServerTime:
    """An estimate that follows the monotonic clock between corrections, whatever happens to the time of day."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now().timestamp() - clock.monotonic()
        self._last = 0

    def message_id(self) -> int:
        """Return the id of the next message to the server: later than all before, divisible by 4."""
        self._last = max(int(self._now() * TICKS) & ~3, self._last + 4)
        return self._last

    def hear(self, message: Message) -> None:
        """Take in a message of the server's; only some are surely new."""
        bodies = [inner.body for inner in _parts(message)]
        refused = any(_is_about_time(body) for body in bodies)
        if refused or any(isinstance(body, raw.types.Pong) for body in bodies):
            self._correct(message.msg_id / TICKS, tolerance=0.0 if refused else OFF)

    def _now(self) -> float:
        return self._clock.monotonic() + self._offset

    def _correct(self, now: float, *, tolerance: float) -> None:
        if abs(now - self._now()) <= tolerance:
            return
        self._offset = now - self._clock.monotonic()
        self._last = 0
        off = self._clock.now().timestamp() - now
        if abs(off) > WORTH_SAYING:
            log.warning("telegram.clock_off", seconds=round(off), advice="set this machine's clock")


def tells_of_new_session(message: Message) -> bool:
    """Whether the server has begun the session anew, so that what it had to tell before may be lost."""
    return any(isinstance(inner.body, raw.types.NewSessionCreated) for inner in _parts(message))


def _parts(message: Message) -> list[Any]:
    return list(message.body.messages) if isinstance(message.body, MsgContainer) else [message]


def _is_about_time(body: Any) -> bool:
    return isinstance(body, raw.types.BadMsgNotification) and body.error_code in ABOUT_TIME
