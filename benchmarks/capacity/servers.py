"""One nats-server or a cluster of several on this machine, which sync every write as those of deploy/ do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from cli.demo.nats_server import HOST, EmbeddedServer, embedded, free_ports
from events.errors import TimokhaError
from events.jetstream.configs import Retention
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.retrying import Retrying

PATIENCE = 60
"""Seconds until the nodes of a cluster have found each other and chosen a leader."""


@asynccontextmanager
async def servers(directory: Path, nodes: int) -> AsyncIterator[list[EmbeddedServer]]:
    """So many that run; with one it is no cluster."""
    ports = free_ports(nodes)
    async with AsyncExitStack() as stack:
        started = []
        for number, port in enumerate(ports):
            configured = partial(_node, number, port, ports) if nodes > 1 else embedded
            own = directory / f"nats-{number}"
            await asyncio.to_thread(own.mkdir, parents=True)
            started.append(EmbeddedServer(own, configured=configured))
        for server in started:
            await stack.enter_async_context(server)
        yield started


def url(started: list[EmbeddedServer]) -> str:
    return ",".join(server.url for server in started)


async def make_topology(started: list[EmbeddedServer], retrying: Retrying, accounts: list[str]) -> None:
    """Make every stream, bucket and consumer, with a copy on each node."""
    # A cluster accepts connections before it has a leader.
    async with asyncio.timeout(PATIENCE):
        while not await _made(started, retrying, accounts):  # noqa: ASYNC110 - other processes decide
            await asyncio.sleep(0.5)


async def _made(started: list[EmbeddedServer], retrying: Retrying, accounts: list[str]) -> bool:
    try:
        async with connect(url(started), name="setup") as js:
            await Topology(js, Retention(replicas=len(started)), retrying=retrying).ensure_all(accounts)
    except TimokhaError:
        return False
    return True


def _node(number: int, port: int, ports: list[int], client_port: int, store: Path) -> str:
    routes = ", ".join(f'"nats-route://{HOST}:{other}"' for other in ports)
    return (
        f'server_name: "node-{number}"\n{embedded(client_port, store)}\n'
        f'cluster {{ name: bench, listen: "{HOST}:{port}", routes: [{routes}], no_advertise: true }}\n'
    )
