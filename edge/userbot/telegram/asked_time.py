"""Ask one of Telegram's servers what time it is: the first answer of a key exchange tells, without an account."""

import secrets
from datetime import UTC, datetime, timedelta
from io import BytesIO

from pyrogram import raw
from pyrogram.connection.transport import TCPAbridged
from pyrogram.raw.core import Long
from pyrogram.session.auth import Auth
from pyrogram.session.internals import DataCenter

from edge.userbot.telegram.server_time import TICKS
from events.errors import TransportUnreachable
from events.runtime.clock import Clock
from events.runtime.tasks import within

PATIENCE = timedelta(seconds=5)
CENTRE = 2
MESSAGE_ID = slice(8, 16)
"""Where it is in an answer that is not encrypted."""
NONCE_BITS = 128


def address() -> str:
    """Return where Telegram is asked unless another server was chosen."""
    host, port = DataCenter(CENTRE, False, False, False)
    return f"{host}:{port}"


async def ahead(clock: Clock) -> timedelta:
    """Return how far `clock` is ahead of Telegram's. Raises TransportUnreachable, which says why."""
    before = clock.now()
    try:
        sent = await within(PATIENCE, _server_time())
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {PATIENCE.total_seconds():.0f} s"
        raise TransportUnreachable(reason) from None
    return before + (clock.now() - before) / 2 - sent


async def _server_time() -> datetime:
    transport = TCPAbridged(ipv6=False, proxy={})
    try:
        await transport.connect(DataCenter(CENTRE, False, False, False))
        nonce = secrets.randbits(NONCE_BITS) - 2 ** (NONCE_BITS - 1)
        await transport.send(Auth.pack(raw.functions.ReqPqMulti(nonce=nonce)))
        answer = await transport.recv()
    finally:
        await transport.close()
    if not answer or len(answer) < MESSAGE_ID.stop or any(answer[: MESSAGE_ID.start]):
        raise ConnectionError("what answers there is no MTProto server" if answer else "it closed the connection")
    return datetime.fromtimestamp(Long.read(BytesIO(answer[MESSAGE_ID])) / TICKS, UTC)
