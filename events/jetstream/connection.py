"""Connect to NATS once, and reconnect for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from errno import ECONNRESET, EPIPE
from typing import Any

from nats.js import JetStreamContext

from events.certificates import SettingNames, certificate_problem
from events.errors import TransportUnreachable
from events.faults import Fault
from events.jetstream.addresses import ANONYMOUS, Access, redacted, servers
from events.jetstream.client import Client
from events.jetstream.credentials import Credentials, tls_context
from events.runtime.tasks import finish, within

CONNECT_TIMEOUT = 2
"""Seconds for a single attempt."""

FIRST_CONNECTION_TIMEOUT = timedelta(seconds=5)
"""For the first connection; the client itself would try for ever."""

RECONNECT_WAIT = 0.25
"""Seconds between the first two attempts to reconnect."""

MAX_RECONNECT_WAIT = 2.0
"""Seconds up to which the pauses between attempts grow."""

CLOSE_TIMEOUT = timedelta(seconds=2)
"""To close the connection; a frozen server does not answer."""

OPTIONS: dict[str, Any] = {
    "allow_reconnect": True,
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": RECONNECT_WAIT,
    "connect_timeout": CONNECT_TIMEOUT,
    # An error in the client's read loop can leave a dead connection, which only pings detect.
    "ping_interval": 10,
    "max_outstanding_pings": 2,
}

PUBLISH_TIMEOUT = 5
"""Seconds to wait for a confirmation before the caller publishes the same event again."""

TLS = SettingNames(address="NATS_URL", authority="NATS_TLS_CA", own="NATS_TLS_CERTIFICATE and NATS_TLS_KEY")

NO_TLS = "secure connection not available"
CLOSED = (f"[Errno {EPIPE}]", f"[Errno {ECONNRESET}]")
"""How an error begins if the server has closed the connection: its alert may be lost with what we were writing."""

JetStream = JetStreamContext
"""The type of what `connect` yields, for annotations in modules that may not import nats."""


@asynccontextmanager
async def connect(url: str, *, name: str, access: Access = ANONYMOUS) -> AsyncIterator[JetStream]:
    """Yield JetStream over one connection, which the server knows as `name`, and close it afterwards.

    `url` may name several servers of a cluster, comma-separated. Replies come to `_INBOX_<name>.>`.

    Raises
    ------
    TransportUnreachable
        The first connection failed; FATAL if the server refused it. Later losses are repaired in the background.
    SettingsError
        `url` is no NATS address, or a file named by `access` can't be used.
    """
    client = await _first_connection(url, name, access)
    try:
        yield client.jetstream(timeout=PUBLISH_TIMEOUT)
    finally:
        client.options["reconnect_time_wait"] = 0  # closing waits for this pause
        await finish(CLOSE_TIMEOUT, client.close())


async def _first_connection(url: str, name: str, access: Access) -> Client:
    tls, addresses = tls_context(access), servers(url)
    credentials = Credentials(access.credentials) if access.credentials else None
    wanted = tls is not None or any(address.startswith("tls://") for address in addresses)
    client = Client(tls=wanted, credentials=credentials)
    faults: list[str] = []
    connected = asyncio.Event()  # not the client's own state, which changes with each attempt to reconnect

    async def on_error(error: Exception) -> None:
        client.wait_longer(MAX_RECONNECT_WAIT)
        if connected.is_set():
            flaw = certificate_problem(str(error), TLS)
            client.warn(TransportUnreachable(str(flaw)) if flaw else error)
        else:
            faults.append(str(error) or type(error).__name__)
            if len(addresses) == 1 and (NO_TLS in faults[-1] or certificate_problem(faults[-1], TLS)):
                raise error  # otherwise the client retries until the time-out

    connecting = client.connect(
        list(addresses),
        name=name,
        user=access.user,
        password=access.password.get_secret_value() if access.password else None,
        user_credentials=credentials,  # type: ignore[arg-type]  # any UserString will do
        tls=tls,
        error_cb=on_error,
        disconnected_cb=client.log_disconnected,
        reconnected_cb=client.log_reconnected,
        inbox_prefix=f"_INBOX_{name}".encode(),
        **OPTIONS,
    )
    try:
        # One attempt for each node of a cluster, of which some may be dead.
        await within(FIRST_CONNECTION_TIMEOUT + timedelta(seconds=CONNECT_TIMEOUT) * (len(addresses) - 1), connecting)
    except asyncio.CancelledError:
        await finish(CLOSE_TIMEOUT, client.close())
        raise
    except Exception as error:  # noqa: BLE001 - with a server that is no NATS, nats-py raises any error
        await finish(CLOSE_TIMEOUT, client.close())
        raise _unreachable(url, faults or [str(error) or "no answer"], encrypted=wanted) from None
    connected.set()
    client.check_payload()
    return client


def _unreachable(url: str, faults: list[str], *, encrypted: bool) -> TransportUnreachable:
    # After a refusal a server resets the connection, so what it sent counts more than the last error of the system.
    reason = ([fault for fault in faults if not fault.startswith("[Errno")] or faults)[-1]
    server = f"NATS server {redacted(url)}"
    if refusal := _refusal(reason):
        return TransportUnreachable(f"{server} {refusal}", Fault.FATAL)
    if encrypted and reason.startswith(CLOSED):
        return TransportUnreachable(
            f"{server} closed the encrypted connection ({reason}), as one that does not accept our certificate does;"
            " set or correct NATS_TLS_CERTIFICATE and NATS_TLS_KEY, or look at its log"
        )
    return TransportUnreachable(f"{server} could not be reached ({reason}); start it or correct NATS_URL")


def _refusal(reason: str) -> str | None:
    """Return how a server refuses this process for good, and what to do about it; None if it does not."""
    if "authorization violation" in reason.lower():
        return "refused the user or its password; correct NATS_USER and NATS_PASSWORD"
    if NO_TLS in reason:
        return "offers no TLS; set it up there, or don't ask for it in NATS_URL or NATS_TLS_CA"
    if "certificate required" in reason:
        return "asks for a certificate of ours; set NATS_TLS_CERTIFICATE and NATS_TLS_KEY"
    if flaw := certificate_problem(reason, TLS):
        return f"could not be reached: {flaw}"
    return None
