"""Sockets in memory. What is written arrives in order, after a delay that a seed decides, or never if they are cut."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from random import Random
from typing import Any

from tests.simulation.processes import PROCESS

Address = tuple[str, int]

AT_ONCE = 0.5
"""How likely bytes take no time; otherwise:"""
DELAY = 0.004
"""Seconds that they take at most."""
HIGH_WATER = 64 * 1024
"""Unread bytes with which the writer is told to pause."""


class Network:
    """Servers by address. `refused`: addresses that nobody can connect to now."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random) -> None:
        self.loop, self.random = loop, random
        self.servers: dict[Address, Server] = {}
        self.connected: dict[Any, Address] = {}
        """What a client has connected a socket of its own to, until it makes a stream of it."""
        self.refused: dict[Address, None] = {}
        self._free_port = 40_000

    def listen(self, protocol_factory: Callable[[], Any], address: Address) -> "Server":
        host, port = address
        if not port:
            self._free_port += 1
            port = self._free_port
        if (host, port) in self.servers:
            raise OSError(98, "Address already in use")
        self.servers[host, port] = server = Server(self, (host, port), protocol_factory)
        return server

    def check(self, address: Address) -> "Server":
        """Return who listens. Raises ConnectionRefusedError."""
        server = self.servers.get((address[0], address[1]))
        if server is None or (address[0], address[1]) in self.refused:
            raise ConnectionRefusedError(111, f"Connect call failed {address}")
        return server

    async def connect(self, protocol_factory: Callable[[], Any], address: Address) -> tuple[Any, Any]:
        await asyncio.sleep(self.delay())
        server = self.check(address)
        protocol = protocol_factory()
        ours = Endpoint(self, protocol, copy_context(), address)
        theirs = Endpoint(self, server.protocol_factory(), server.context.copy(), address)
        ours.peer, theirs.peer = theirs, ours
        server.endpoints[theirs] = None
        theirs.begin()
        protocol.connection_made(ours)
        return ours, protocol

    def delay(self) -> float:
        return 0.0 if self.random.random() < AT_ONCE else self.random.random() * DELAY


class Server(asyncio.AbstractServer):
    """What listens at an address, as `asyncio.start_server` returns it."""

    def __init__(self, network: Network, address: Address, protocol_factory: Callable[[], Any]) -> None:
        self.network, self.address, self.protocol_factory = network, address, protocol_factory
        self.context = copy_context()
        self.endpoints: dict[Endpoint, None] = {}

    @property
    def sockets(self) -> "tuple[Server, ...]":
        return (self,)

    def getsockname(self) -> Address:
        return self.address

    def close(self) -> None:
        if self.network.servers.get(self.address) is self:
            del self.network.servers[self.address]

    async def wait_closed(self) -> None:
        return

    def is_serving(self) -> bool:
        return self.network.servers.get(self.address) is self


class Endpoint(asyncio.Transport):
    """One end of a connection; `context` is whose it is."""

    peer: "Endpoint"

    def __init__(self, network: Network, protocol: Any, context: Context, address: Address) -> None:
        super().__init__({"peername": address, "socket": None, "sockname": address})
        self._network, self._protocol, self._context = network, protocol, context
        self._received = bytearray()
        """What has been written by the peer and not been handed over."""
        self._ended = False
        """The peer has nothing more to say."""
        self._due = 0.0
        self._scheduled = False
        self._reading = True
        self._closing = False
        self._lost = False
        self._paused = False
        self.process = context.get(PROCESS)
        if self.process is not None:
            self.process.endpoints[self] = None

    def begin(self) -> None:
        self._network.loop.call_soon(self._protocol.connection_made, self, context=self._context)

    # --- what asyncio's streams call

    def write(self, data: Any) -> None:
        if self._closing or self._lost or not data:
            return
        self.peer._receive(data)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.peer._end()

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def close(self) -> None:
        if not self.is_closing():
            self._closing = True
            self.peer._end()
            self._lose(None)

    def abort(self) -> None:
        self.cut(None)

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def get_write_buffer_size(self) -> int:
        return len(self.peer._received)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, HIGH_WATER

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The limit is the network's."""

    def is_reading(self) -> bool:
        return self._reading and not self.is_closing()

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._schedule()

    # --- what a fault does

    def cut(self, error: Exception | None = None) -> None:
        """End the connection at once; what was on its way is gone."""
        self._received.clear()
        self.peer._received.clear()
        self._lose(error)
        self.peer._lose(error or ConnectionResetError(104, "Connection reset by peer"))

    # --- the way of the bytes

    def _receive(self, data: Any) -> None:
        if self._lost:
            return
        self._received += data
        if len(self._received) > HIGH_WATER and not self._paused:
            self._paused = True
            self.peer._protocol.pause_writing()  # at once, as asyncio does: a writer that is not paused never waits
        self._schedule()

    def _end(self) -> None:
        self._ended = True
        self._schedule()

    def _schedule(self) -> None:
        if self._scheduled or self._lost:
            return
        self._scheduled = True
        loop = self._network.loop
        self._due = max(self._due, loop.time() + self._network.delay())
        if self._due <= loop.time():
            loop.call_soon(self._deliver, context=self._context)
        else:
            loop.call_at(self._due, self._deliver, context=self._context)

    def _deliver(self) -> None:
        self._scheduled = False
        if self._lost or not self._reading:
            return
        if self._received:
            data = bytes(self._received)
            self._received.clear()
            if self._paused:
                self._paused = False
                self._tell(self.peer, "resume_writing")
            self._protocol.data_received(data)
        if self._ended and not self._received and not self._lost and not self._protocol.eof_received():
            self.close()

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        if self.process is not None:
            self.process.endpoints.pop(self, None)
        self._network.loop.call_soon(self._protocol.connection_lost, error, context=self._context)

    def _tell(self, endpoint: "Endpoint", what: str) -> None:
        if not endpoint._lost:
            self._network.loop.call_soon(getattr(endpoint._protocol, what), context=endpoint._context)
