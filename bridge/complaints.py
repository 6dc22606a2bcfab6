"""Log lines about what strangers send: one of a kind in ten seconds, however much comes."""

import re
from collections import Counter
from typing import Any

import structlog

from events.runtime.log_throttle import REMEMBERED, LogThrottle

VALUES = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")
"""What makes two errors of a kind differ."""

MAX_ERROR = 500
"""Characters of an error."""

log = structlog.get_logger(__name__)


class Complaints:
    """One for each queue that is read."""

    def __init__(self) -> None:
        self._log_throttle = LogThrottle()
        self._unsaid: Counter[str] = Counter()

    def __call__(self, event: str, error: str, **fields: Any) -> None:
        """Log `event`; the line says how many of its kind were left out since the last one."""
        kind = f"{event} {VALUES.sub('', error)}"
        if not self._log_throttle.due(kind):
            if len(self._unsaid) < REMEMBERED or kind in self._unsaid:
                self._unsaid[kind] += 1
            return
        if unsaid := self._unsaid.pop(kind, 0):
            fields["left_out"] = unsaid
        log.error(event, error=error[:MAX_ERROR], **fields)
