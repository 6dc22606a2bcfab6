"""A message whose properties are no proper text is still a message.

The client takes one for a broken connection: it reconnects, gets the same message again, and so on for ever.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiormq.exceptions import AMQPError
from pamqp import commands, decode

Decoder = Callable[[bytes], tuple[int, Any]]
"""From bytes to how many of them were read, and what they say."""


def fix_client() -> None:
    """From now on unreadable characters are replaced, unreadable headers and times are left out. Safe to call again.

    And why a connection is refused can be read in the client's error, which is logged by us alone.
    """
    logging.getLogger("asyncio").addFilter(_is_new)
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["table"] = _or(decode.field_table, lambda value: (4 + int.from_bytes(value[:4], "big"), {}))
    commands.Connection.Close.__repr__ = _told  # type: ignore[method-assign, assignment]
    decode.METHODS["timestamp"] = _or(decode.timestamp, lambda _: (8, datetime.fromtimestamp(0, UTC)))


def _short_text(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, value[1:end].decode(errors="replace")


def _is_new(record: logging.LogRecord) -> bool:
    """Whether it is no error of the client's.

    Until Python 3.12 `asyncio.wait_for` drops an attempt to connect that is refused while it is cancelled. What asyncio
    then says of it, with a traceback, has been told by the connection that was lost.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], AMQPError))


def _told(close: commands.Connection.Close) -> str:
    return f"<Connection.Close {close.reply_code} {close.reply_text}>"


def _or(strict: Decoder, unreadable: Decoder) -> Decoder:
    def read(value: bytes) -> tuple[int, Any]:
        try:
            return strict(value)
        except (ValueError, OverflowError, RecursionError):
            return unreadable(value)

    return read
