"""Wake-up hints from outside: only one that names a chat of Telegram's is heard."""

from collections.abc import Callable

import structlog

from edge.userbot.storage.chat_names import names_chat
from events.runtime.log_throttle import LogThrottle

IGNORED_EVERY = 60.0
"""Seconds between two log lines about hints that name no chat."""

log = structlog.get_logger(__name__)


class Hints:
    """A hint says that a chat's record has changed; anybody who may publish on its subject can send any text."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._ignored = LogThrottle(IGNORED_EVERY)

    def hear(self, text: str) -> None:
        if names_chat(text):
            self._wake(text)
        elif self._ignored.due("hint"):
            log.warning("hint.ignored", length=len(text), error="it names no chat of Telegram's")
