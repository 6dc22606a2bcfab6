"""Fixes for aio-pika's client: accept messages with unreadable properties, and report why a connection is refused.

Otherwise such a message looks like a broken connection: the client reconnects, gets it again, and so on for ever.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiormq.exceptions import AMQPError
from pamqp import commands, decode

Decoder = Callable[[bytes], tuple[int, Any]]
"""Takes bytes and returns how many were read, and their value."""


def fix_client() -> None:
    """Patch the client; safe to call again.

    Unreadable characters are replaced, unreadable headers and times left out. The error of a refused connection
    contains the reason, and asyncio does not log it.
    """
    logging.getLogger("asyncio").addFilter(_is_ours)
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["table"] = _lenient(decode.field_table, lambda value: (4 + int.from_bytes(value[:4], "big"), {}))
    commands.Connection.Close.__repr__ = _close_text  # type: ignore[method-assign, assignment]
    decode.METHODS["timestamp"] = _lenient(decode.timestamp, lambda _: (8, datetime.fromtimestamp(0, UTC)))


def _short_text(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, value[1:end].decode(errors="replace")


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether a log record is not about an error of the client's.

    Until Python 3.12 `asyncio.wait_for` drops an attempt to connect that is refused while it is cancelled. asyncio then
    logs a traceback for an error that `on_lost` has logged.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], AMQPError))


def _close_text(close: commands.Connection.Close) -> str:
    return f"<Connection.Close {close.reply_code} {close.reply_text}>"


def _lenient(strict: Decoder, fallback: Decoder) -> Decoder:
    def read(value: bytes) -> tuple[int, Any]:
        try:
            return strict(value)
        except (ValueError, OverflowError, RecursionError):
            return fallback(value)

    return read
