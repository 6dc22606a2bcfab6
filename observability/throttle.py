"""A log handler that keeps a fault from flooding the log."""

import logging
from collections.abc import Callable
from datetime import timedelta

from events.runtime.clock import Clock


class Throttle(logging.Handler):
    """Hands at most one record every `period` on to the root logger's handlers, and drops the others."""

    def __init__(self, period: timedelta, clock: Clock, *, told: Callable[[str], str]) -> None:
        """`told` makes what is logged of a record's message."""
        super().__init__()
        self._told = told
        self._clock = clock
        self._period = period.total_seconds()
        self._quiet_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + self._period
            record.msg, record.args = self._told(record.getMessage()), ()
            logging.getLogger().handle(record)
