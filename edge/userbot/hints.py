"""Wake-up hints from outside: only one that names a chat of Telegram's is heard."""

import re
from collections.abc import Callable

import structlog

from events.runtime.seldom import Seldom

IGNORED_EVERY = 60.0
"""Seconds between two log lines about hints that name no chat."""

_CHAT = re.compile(r"-?[1-9][0-9]{0,18}")

log = structlog.get_logger(__name__)


class Hints:
    """A hint says that a chat's record has changed; anybody who may publish on its subject can send any text."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._ignored = Seldom(IGNORED_EVERY)

    def hear(self, text: str) -> None:
        if _CHAT.fullmatch(text):
            self._wake(text)
        elif self._ignored.due("hint"):
            log.warning("hint.ignored", length=len(text), error="it names no chat of Telegram's")
