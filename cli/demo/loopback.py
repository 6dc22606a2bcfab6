"""Ports of this machine, for servers of our own."""

import asyncio
import contextlib
import socket

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """All at once, so that they differ."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


async def is_open(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
