"""One connection to NATS that never gives up and says which server it can't reach."""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from events.access import ANONYMOUS, Access
from events.errors import SettingsError, TransportUnreachable
from events.jetstream.client import Client
from events.runtime.tasks import finish, within

CONNECT_TIMEOUT = 2
"""Seconds a single attempt may take."""

FIRST_CONNECTION_TIMEOUT = timedelta(seconds=5)
"""Until a server that can't be reached at the start is a fault: the client itself would try for ever."""

RECONNECT_WAIT = 0.25
"""Seconds between two attempts to get the connection back."""

CLOSE_TIMEOUT = timedelta(seconds=2)
"""To say goodbye to a server; one that is frozen hears nothing."""

PUBLISH_TIMEOUT = 5
"""Seconds to wait for a confirmation before the caller publishes the same event again."""

JetStream = JetStreamContext
"""What `connect` gives, for the annotations of those who may not import nats."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def connect(url: str, *, name: str, access: Access = ANONYMOUS) -> AsyncIterator[JetStream]:
    """JetStream over one connection, named `name` on the server, closed on the way out.

    `url` may name several servers of a cluster, comma-separated. Answers come to `_INBOX_<name>.>`.

    Raises
    ------
    TransportUnreachable
        The first connection could not be made; later losses are mended in the background.
    SettingsError
        `url` is no NATS address, or a file of `access` can't be used.
    """
    client = await _first_connection(url, name, access)
    try:
        yield client.jetstream(timeout=PUBLISH_TIMEOUT)
    finally:
        await finish(CLOSE_TIMEOUT, client.close())


async def _first_connection(url: str, name: str, access: Access) -> Client:
    tls, servers = _tls(access), url.split(",")
    client = Client(tls=tls is not None or "tls://" in url)
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

    connecting = client.connect(
        servers,
        name=name,
        user=access.user,
        password=access.password.get_secret_value() if access.password else None,
        user_credentials=str(access.credentials) if access.credentials else None,
        tls=tls,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type]  # the annotation forgets fractions
        connect_timeout=CONNECT_TIMEOUT,
        # A fault in the client's read loop can leave a zombie: only pings find it.
        ping_interval=10,
        max_outstanding_pings=2,
        inbox_prefix=f"_INBOX_{name}".encode(),
        error_cb=on_error,
        disconnected_cb=log_disconnected,
        reconnected_cb=_log_reconnected,
    )
    try:
        # A cluster of which some nodes are dead needs an attempt for each.
        await within(FIRST_CONNECTION_TIMEOUT + timedelta(seconds=CONNECT_TIMEOUT) * (len(servers) - 1), connecting)
    except ValueError as error:
        raise SettingsError(f"NATS_URL: got {_shown(url)!r} ({error}); it takes nats://host:port") from None
    except (NatsError, OSError, TimeoutError) as error:
        await finish(CLOSE_TIMEOUT, client.close())
        raise TransportUnreachable(_explanation(url, _telling(faults) or str(error) or "no answer")) from None
    return client


def _telling(faults: list[str]) -> str:
    """The last one, rather what a server said: one that refuses resets the connection, often before it is read."""
    said = [fault for fault in faults if not fault.startswith("[Errno")]
    return (said or faults or [""])[-1]


def _tls(access: Access) -> ssl.SSLContext | None:
    """None: the system's authorities, and only if the address or the server asks for TLS."""
    if not access.ca and not access.certificate:
        return None
    try:
        context = ssl.create_default_context(cafile=access.ca)
        if access.certificate:
            context.load_cert_chain(access.certificate, access.key)
    except OSError as error:
        raise SettingsError(
            f"NATS_TLS_CA, NATS_TLS_CERTIFICATE or NATS_TLS_KEY can't be used ({error}); they take PEM files"
        ) from None
    return context


def _explanation(url: str, reason: str) -> str:
    if "authorization violation" in reason.lower():
        return f"NATS server {_shown(url)} refused the user or its password; correct NATS_USER and NATS_PASSWORD"
    if "secure connection not available" in reason:
        return (
            f"NATS server {_shown(url)} offers no TLS; set it up there, or don't ask for it in NATS_URL or NATS_TLS_CA"
        )
    if "certificate required" in reason:
        return f"NATS server {_shown(url)} asks for a certificate of ours; set NATS_TLS_CERTIFICATE and NATS_TLS_KEY"
    if "certificate" in reason.lower():
        return f"NATS server {_shown(url)} could not be trusted ({reason}); correct NATS_TLS_CA or NATS_URL"
    return f"NATS server {_shown(url)} could not be reached ({reason}); start it or correct NATS_URL"


async def _log_reconnected() -> None:
    log.info("nats.reconnected")


def _shown(url: str) -> str:
    """Without the password or token."""
    return re.sub(r"//[^/,]*@", "//", url)
