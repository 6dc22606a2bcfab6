"""One connection to NATS that never gives up and says which server it can't reach."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from nats.js import JetStreamContext

from events.certificates import SettingNames, certificate_problem
from events.errors import TransportUnreachable
from events.faults import Fault
from events.jetstream.addresses import ANONYMOUS, Access, servers, shown
from events.jetstream.client import Client
from events.jetstream.credentials import Credentials, tls_context
from events.runtime.tasks import finish, within

CONNECT_TIMEOUT = 2
"""Seconds a single attempt may take."""

FIRST_CONNECTION_TIMEOUT = timedelta(seconds=5)
"""Until a server that can't be reached at the start is a fault: the client itself would try for ever."""

RECONNECT_WAIT = 0.25
"""Seconds between the first two attempts to get the connection back."""

RECONNECT_MOST = 2.0
"""The pause grows up to so many seconds while the server is away."""

CLOSE_TIMEOUT = timedelta(seconds=2)
"""To say goodbye to a server; one that is frozen hears nothing."""

OPTIONS: dict[str, Any] = {
    "allow_reconnect": True,
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": RECONNECT_WAIT,
    "connect_timeout": CONNECT_TIMEOUT,
    # A fault in the client's read loop can leave a zombie: only pings find it.
    "ping_interval": 10,
    "max_outstanding_pings": 2,
}

PUBLISH_TIMEOUT = 5
"""Seconds to wait for a confirmation before the caller publishes the same event again."""

TLS = SettingNames(address="NATS_URL", authority="NATS_TLS_CA", own="NATS_TLS_CERTIFICATE and NATS_TLS_KEY")

NO_TLS = "secure connection not available"

JetStream = JetStreamContext
"""What `connect` gives, for the annotations of those who may not import nats."""


@asynccontextmanager
async def connect(url: str, *, name: str, access: Access = ANONYMOUS) -> AsyncIterator[JetStream]:
    """JetStream over one connection, named `name` on the server, closed on the way out.

    `url` may name several servers of a cluster, comma-separated. Answers come to `_INBOX_<name>.>`.

    Raises
    ------
    TransportUnreachable
        The first connection could not be made; FATAL where the server refuses it. Later losses are mended in the
        background.
    SettingsError
        `url` is no NATS address, or a file of `access` can't be used.
    """
    client = await _first_connection(url, name, access)
    try:
        yield client.jetstream(timeout=PUBLISH_TIMEOUT)
    finally:
        client.options["reconnect_time_wait"] = 0  # closing waits as long
        await finish(CLOSE_TIMEOUT, client.close())


async def _first_connection(url: str, name: str, access: Access) -> Client:
    tls, addresses = tls_context(access), servers(url)
    credentials = Credentials(access.credentials) if access.credentials else None
    wanted = tls is not None or any(address.startswith("tls://") for address in addresses)
    client = Client(tls=wanted, credentials=credentials)
    faults: list[str] = []
    connected = asyncio.Event()  # the client's own state is another one in the middle of each attempt to reconnect

    async def on_error(error: Exception) -> None:
        client.wait_longer(RECONNECT_MOST)
        if connected.is_set():
            flaw = certificate_problem(str(error), TLS)
            client.warn(TransportUnreachable(str(flaw)) if flaw else error)
        else:
            faults.append(str(error) or type(error).__name__)
            if len(addresses) == 1 and _is_lasting(faults[-1]):
                raise error  # the client would try again until the time is up

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
        # A cluster of which some nodes are dead needs an attempt for each.
        await within(FIRST_CONNECTION_TIMEOUT + timedelta(seconds=CONNECT_TIMEOUT) * (len(addresses) - 1), connecting)
    except asyncio.CancelledError:
        await finish(CLOSE_TIMEOUT, client.close())
        raise
    except Exception as error:  # noqa: BLE001 - nats-py lets through whatever a stranger's server makes of it
        await finish(CLOSE_TIMEOUT, client.close())
        raise _unreachable(url, _telling(faults) or str(error) or "no answer") from None
    connected.set()
    client.check_payload()
    return client


def _is_lasting(fault: str) -> bool:
    """Return whether another attempt is in vain."""
    return NO_TLS in fault or certificate_problem(fault, TLS) is not None


def _telling(faults: list[str]) -> str:
    """The last one, rather what a server said: one that refuses resets the connection, often before it is read."""
    said = [fault for fault in faults if not fault.startswith("[Errno")]
    return (said or faults or [""])[-1]


def _unreachable(url: str, reason: str) -> TransportUnreachable:
    server = f"NATS server {shown(url)}"
    if refusal := _refusal(reason):
        return TransportUnreachable(f"{server} {refusal}", Fault.FATAL)
    return TransportUnreachable(f"{server} could not be reached ({reason}); start it or correct NATS_URL")


def _refusal(reason: str) -> str | None:
    """What a server does that will not let us in next time either, and what to do about it."""
    if "authorization violation" in reason.lower():
        return "refused the user or its password; correct NATS_USER and NATS_PASSWORD"
    if NO_TLS in reason:
        return "offers no TLS; set it up there, or don't ask for it in NATS_URL or NATS_TLS_CA"
    if "certificate required" in reason:
        return "asks for a certificate of ours; set NATS_TLS_CERTIFICATE and NATS_TLS_KEY"
    if flaw := certificate_problem(reason, TLS):
        return f"could not be reached: {flaw}"
    return None
