"""Fixes for aio-pika's client: messages with unreadable properties, reasons of refused connections, closed channels.

Without the first, such a message looks like a broken connection: the client reconnects, gets it again, and so on for
ever. Without the last, a process's memory grows with every channel that it has opened and closed.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aio_pika.abc import UnderlayChannel
from aio_pika.tools import OneShotCallback
from aiormq.abc import AbstractConnection
from aiormq.exceptions import AMQPError
from pamqp import commands, decode

Decoder = Callable[[bytes], tuple[int, Any]]
"""Takes bytes and returns how many were read, and their value."""


def fix_client() -> None:
    """Patch the client; safe to call again.

    Unreadable characters are replaced, unreadable headers and times left out. The error of a refused connection
    contains the reason, and asyncio does not log it. A connection forgets channels that are closed.
    """
    logging.getLogger("asyncio").addFilter(_is_ours)
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["table"] = _lenient(decode.field_table, lambda value: (4 + int.from_bytes(value[:4], "big"), {}))
    commands.Connection.Close.__repr__ = _close_text  # type: ignore[method-assign, assignment]
    decode.METHODS["timestamp"] = _lenient(decode.timestamp, lambda _: (8, datetime.fromtimestamp(0, UTC)))
    UnderlayChannel.create = _opened  # type: ignore[method-assign]
    UnderlayChannel.close = _close  # type: ignore[method-assign, assignment]


async def _opened(
    connection: AbstractConnection, close_callback: Callable[..., Awaitable[Any]], **options: Any
) -> UnderlayChannel:
    """Open a channel, as `UnderlayChannel.create` does on a connection that its caller has found ready.

    `connection.closing` is another future each time it is read, so the client's own way of removing the callback from
    it has no effect, and the connection keeps the callback of each closed channel, with all that this refers to
    (https://github.com/mosquito/aio-pika/issues/490).
    """
    once = OneShotCallback(close_callback)
    lost = connection.closing
    lost.add_done_callback(once)

    def forget(_: object = None) -> None:
        lost.remove_done_callback(once)
        lost.cancel()  # this future only observes the connection

    try:
        channel = await connection.channel(**options)
    except BaseException:
        forget()
        raise
    channel.closing.add_done_callback(once)
    channel.closing.add_done_callback(forget)
    return UnderlayChannel(channel=channel, close_callback=once)


async def _close(channel: UnderlayChannel, exc: BaseException | type[BaseException] | None = None) -> None:
    """Close a channel, as `UnderlayChannel.close` does, without reading `connection.closing` once more."""
    if channel.close_callback.finished.is_set():
        return
    await channel.channel.close(exc)
    await channel.close_callback.wait()


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
