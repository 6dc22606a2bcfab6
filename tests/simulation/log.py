"""What the processes log, each line with its process and the virtual time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog
from structlog.typing import EventDict, WrappedLogger

from tests.simulation.loop import SimulationLoop
from tests.simulation.processes import PROCESS

ALWAYS = "message.received"
"""Logged at the level DEBUG where one chat has many, and known to the judge all the same."""
STARTED = "process.started"


@dataclass
class Log:
    """`lines`: each with `time` (seconds of the loop), `process`, `level` and what was logged."""

    loop: SimulationLoop
    lines: list[dict[str, Any]] = field(default_factory=list)

    def write(self, process: str, line: dict[str, Any]) -> None:
        self.lines.append({"time": self.loop.time(), "process": process, **line})

    def has(self, process: str, event: str) -> bool:
        return any(line["event"] == event and line["process"] == process for line in self.lines)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take all lines of this Python process until the end."""
        before = structlog.get_config()
        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, self._take],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
            cache_logger_on_first_use=False,
        )
        handler = _Handler(self)
        root = logging.getLogger()
        handlers, root.handlers = root.handlers, [handler]
        try:
            yield
        finally:
            root.handlers = handlers
            structlog.configure(**before)

    def _take(self, _: WrappedLogger, level: str, line: EventDict) -> NoReturn:
        if level == "debug" and line["event"] != ALWAYS:
            raise structlog.DropEvent
        process = PROCESS.get()
        error = line.pop("exc_info", None)
        if error:
            line["traceback"] = repr(error)
        self.write(process.name if process else "", dict(line))
        raise structlog.DropEvent


class _Handler(logging.Handler):
    """Takes what libraries log as well: an error in a callback of asyncio's is one of ours."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        process = PROCESS.get()
        error = record.exc_info[1] if record.exc_info else None
        line = {"event": f"library.{record.name}", "level": record.levelname.lower(), "error": record.getMessage()}
        self._log.write(process.name if process else "", line | ({"traceback": repr(error)} if error else {}))
