"""Recreate missing streams, consumers and buckets that a running process needs, or end the process."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from events.errors import TransportError, TransportUnreachable
from events.faults import Fault
from events.jetstream.api import client_of
from events.jetstream.topology import Topology
from events.runtime.clock import Clock
from events.runtime.log_throttle import LogThrottle

LOOK_EVERY = timedelta(seconds=5)
GRACE = timedelta(seconds=12)
"""For an administrator to create what this process may not. With the 5 s that a refusal takes it ends within 30 s."""

LOG_EVERY = 60.0
"""Seconds between two log lines about what the process waits for."""

log = structlog.get_logger(__name__)


async def keep_topology(
    topology: Topology,
    ensure: Callable[[], Awaitable[None]],
    *,
    clock: Clock,
    on_recreated: Callable[[], None] = lambda: None,
) -> None:
    """Check for ever, and recreate what is missing.

    `ensure` calls the methods of `topology` that the process needs. `on_recreated` is called after something was
    recreated, by this process or another one, or has lost messages. While NATS is down or its cluster has no leader,
    wait. Raises TransportError if something has been missing for `GRACE` and can't be created.
    """
    topology.patience = timedelta(0)
    missing_since: float | None = None
    log_throttle = LogThrottle(LOG_EVERY)
    while True:
        await clock.sleep(LOOK_EVERY)
        looked_at = clock.monotonic()
        error = await _look(topology, ensure, on_recreated)
        topology.missing = str(error or "")
        if error is None or error.fault is Fault.PASSING:
            missing_since = None
            if error and log_throttle.due("waiting"):
                log.warning("topology.waiting", error=str(error))
            continue
        missing_since = looked_at if missing_since is None else missing_since
        if clock.monotonic() - missing_since >= GRACE.total_seconds():
            raise error
        log.warning("topology.missing", error=str(error))


def connection_problem(topology: Topology) -> str:
    """Return what keeps this process from working with NATS now, empty if nothing. `keep_topology` must run."""
    nats = client_of(topology.js)
    if not nats.is_connected:
        return "NATS is away"
    return topology.missing or nats.unconfirmed.problem(nats.now)


async def _look(
    topology: Topology, ensure: Callable[[], Awaitable[None]], on_recreated: Callable[[], None]
) -> TransportError | None:
    """Check everything once; return the error of what is missing and can't be created, if any."""
    nats = client_of(topology.js)
    if nats.is_closed:
        raise TransportUnreachable("the connection to NATS was closed for good; start this process again")
    if not nats.is_connected:
        return None
    known = len(topology.changes)
    topology.replaced.clear()
    try:
        await ensure()
        if topology.reconnections != (now := nats.reconnections):  # the server may have been started again
            await topology.find_dropped()
            topology.reconnections = now
    except TransportError as error:
        return error
    finally:
        changes = topology.changes[known:]
        for change in changes:
            log.warning("topology.remade", what=change)
        for what in topology.replaced:
            log.warning("topology.replaced", what=what)
        for what, loss in topology.damaged.items():
            log.error("topology.damaged", what=what, error=loss)
        if changes or topology.replaced or topology.damaged:
            on_recreated()
        topology.damaged.clear()
    return None
