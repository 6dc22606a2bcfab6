"""Structured logs on stderr: JSON lines, or plain ones in a terminal, each with its trace.

Call sites use `log = structlog.get_logger()` and `log.info("noun.verb_past", chat=…)`. Never pass a message's text.
"""

import logging
import sys
from contextlib import suppress

import structlog
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from structlog.typing import EventDict, Processor, WrappedLogger

from events.errors import SettingsError

NOISY = (
    *("aio_pika", "aiormq", "httpcore", "httpcore2", "httpx", "httpx2"),
    *("markdown_it", "nats", "openai", "opentelemetry", "pyrogram", "urllib3"),
)


def configure(service: str, *, json: bool | None = None, level: str = "INFO") -> None:
    """Set up logging for the whole process. `json` None: JSON unless stderr is a terminal.

    Every line has `time` (ISO 8601, UTC), `level`, `service` and `event`, and inside a recorded span
    `trace_id` and `span_id`.
    Raises SettingsError if there is no such level.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise SettingsError(f"log level is {level!r}; it takes debug, info, warning or error")
    shared = _shared(service)
    rendering = _rendering(json=not sys.stderr.isatty() if json is None else json)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, rendering))
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    writer = Writer(sys.stderr)
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=lambda *_: writer,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
    )


class Writer(structlog.WriteLogger):
    """Writes our own lines past `logging`, which takes three times as long."""

    def msg(self, message: str) -> None:
        """Write a line at once. One that can't be written, e.g. on a full disk, is lost."""
        with suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = exception = msg


def _shared(service: str) -> list[Processor]:
    """Return the processors for our lines and those of libraries alike."""

    def add_service(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {**line, "service": service}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        _add_trace,
    ]


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    span = get_current_span().get_span_context()
    if not span.trace_flags.sampled:
        return line
    return {**line, "trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}


def _rendering(*, json: bool) -> list[Processor]:
    """Return the processors that make a text of a line. Their tracebacks show no local variables: texts of messages."""
    if json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
    )
    return [console]


def _formatter(shared: list[Processor], rendering: list[Processor]) -> logging.Formatter:
    """Return the formatter for the lines of libraries."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
