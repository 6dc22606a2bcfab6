"""One connection to NATS that never gives up and says which server it can't reach."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from events.errors import SettingsError, TransportUnreachable

CONNECT_TIMEOUT = 2
"""Seconds a single attempt may take."""

FIRST_CONNECTION_TIMEOUT = 5
"""Seconds until a server that can't be reached at the start is a fault: the client itself would try for ever."""

RECONNECT_WAIT = 0.25
"""Seconds between two attempts to get the connection back."""

PUBLISH_TIMEOUT = 5
"""Seconds to wait for a confirmation before the caller publishes the same event again."""

JetStream = JetStreamContext
"""What `connect` gives, for the annotations of those who may not import nats."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def connect(url: str, *, name: str, credentials: Path | None = None) -> AsyncIterator[JetStream]:
    """JetStream over one connection, named `name` on the server, closed on the way out.

    Raises
    ------
    TransportUnreachable
        The first connection could not be made; later losses are mended in the background.
    SettingsError
        `url` is no NATS address.
    """
    client = await _first_connection(url, name, credentials)
    try:
        yield client.jetstream(timeout=PUBLISH_TIMEOUT)
    finally:
        await client.close()


async def _first_connection(url: str, name: str, credentials: Path | None) -> Client:
    client = Client()
    faults: list[str] = []

    async def on_error(error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if client.is_connected or client.is_reconnecting:
            log.warning("nats.error", error=reason)
        else:
            faults.append(reason)

    async def log_disconnected() -> None:
        if not client.is_closed:
            log.warning("nats.disconnected")

    try:
        async with asyncio.timeout(FIRST_CONNECTION_TIMEOUT):
            await client.connect(
                url.split(","),
                name=name,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type]  # the annotation forgets fractions
                connect_timeout=CONNECT_TIMEOUT,
                # A fault in the client's read loop can leave a zombie: only pings find it.
                ping_interval=10,
                max_outstanding_pings=2,
                inbox_prefix=f"_INBOX_{name}".encode(),
                user_credentials=str(credentials) if credentials else None,
                error_cb=on_error,
                disconnected_cb=log_disconnected,
                reconnected_cb=_log_reconnected,
            )
    except ValueError as error:
        raise SettingsError(f"NATS_URL: got {_shown(url)!r} ({error}); it takes nats://host:port") from None
    except (NatsError, OSError, TimeoutError) as error:
        await client.close()
        reason = faults[-1] if faults else str(error) or "no answer"
        raise TransportUnreachable(
            f"NATS server {_shown(url)} could not be reached ({reason}); start it or correct NATS_URL"
        ) from None
    return client


async def _log_reconnected() -> None:
    log.info("nats.reconnected")


def _shown(url: str) -> str:
    """Without the password or token."""
    return re.sub(r"//[^/@,]*@", "//", url)
