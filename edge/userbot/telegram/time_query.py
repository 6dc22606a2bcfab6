"""Ask a Telegram server for the time. No account is needed: the first answer of a key exchange contains it."""

import secrets
from datetime import UTC, datetime, timedelta
from io import BytesIO

from pyrogram import raw
from pyrogram.connection.transport import TCPAbridged
from pyrogram.raw.core import Long

from edge.userbot.telegram.client_differences import pack_unencrypted, telegram_address
from edge.userbot.telegram.server_time import TICKS
from events.errors import TransportUnreachable
from events.runtime.clock import Clock
from events.runtime.tasks import within

TIMEOUT = timedelta(seconds=5)
DATA_CENTRE = 2
MESSAGE_ID = slice(8, 16)
"""Its position in an unencrypted answer."""
NONCE_BITS = 128


def default_server() -> str:
    """Return the address of Telegram's own server."""
    host, port = telegram_address(DATA_CENTRE)
    return f"{host}:{port}"


async def clock_offset(clock: Clock) -> timedelta:
    """Return how far `clock` is ahead of Telegram's. Raises TransportUnreachable with the reason."""
    before = clock.now()
    try:
        sent = await within(TIMEOUT, _server_time(before))
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {TIMEOUT.total_seconds():.0f} s"
        raise TransportUnreachable(reason) from None
    return before + (clock.now() - before) / 2 - sent


async def _server_time(now: datetime) -> datetime:
    transport = TCPAbridged(ipv6=False, proxy=None)  # type: ignore[arg-type]
    try:
        await transport.connect(telegram_address(DATA_CENTRE))
        nonce = secrets.randbits(NONCE_BITS) - 2 ** (NONCE_BITS - 1)
        await transport.send(pack_unencrypted(raw.functions.ReqPqMulti(nonce=nonce), now.timestamp()))
        answer = await transport.recv()
    finally:
        await transport.close()
    if not answer or len(answer) < MESSAGE_ID.stop or any(answer[: MESSAGE_ID.start]):
        raise ConnectionError("what answers there is no MTProto server" if answer else "it closed the connection")
    return datetime.fromtimestamp(Long.read(BytesIO(answer[MESSAGE_ID])) / TICKS, UTC)
