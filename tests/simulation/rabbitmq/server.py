"""The broker's process: it serves connections over a store that outlives it.

`await asyncio.start_server(server.serve, host, port)`, or `await server.listen(host, port)`, which `kill` and `start`
then close and open.
"""

import asyncio
from collections.abc import Iterator
from itertools import count

from pamqp import commands

from tests.simulation.rabbitmq.connection import Connection
from tests.simulation.rabbitmq.errors import ChannelFault, ConnectionFault
from tests.simulation.rabbitmq.faults import AimedFaults, PublishFaults
from tests.simulation.rabbitmq.store import Store


class SimulatedRabbitMQ:
    """`users`: passwords by name, each with all rights in the only vhost, "/"."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self.users = {"guest": "guest"}
        self.faults = PublishFaults()
        self.aimed = AimedFaults()
        self.refusing = False
        """New connections end at once."""
        self.alarm = False
        """It lacks memory or disk: see `raise_alarm`."""
        self.connections: dict[Connection, None] = {}
        self._numbers = count(1)
        self._running = asyncio.Event()
        self._running.set()
        self._blocked: dict[Connection, asyncio.Event] = {}
        self._up = True
        self._address: tuple[str, int] | None = None
        self._listening: asyncio.AbstractServer | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client, for `asyncio.start_server`."""
        if self.refusing or not self._up:
            writer.transport.abort()
            return
        connection = Connection(self, next(self._numbers), reader, writer)
        self.connections[connection] = None
        try:
            await connection.run()
        finally:
            self.connections.pop(connection, None)
            self._blocked.pop(connection, None)

    # --- the process

    async def listen(self, host: str, port: int) -> int:
        """Serve at an address, and return the port."""
        self._listening = await asyncio.start_server(self.serve, host, port)
        self._address = (host, self._listening.sockets[0].getsockname()[1])
        return self._address[1]

    def kill(self) -> None:
        """End as `kill -9` does: connections are cut, and the store stays as it is."""
        self._up = False
        self._running.set()
        self._end_alarm()
        if self._listening:
            self._listening.close()
        self.store.pause()
        for connection in list(self.connections):
            connection.forsake()

    async def start(self) -> None:
        """Come back after `kill` with what is durable."""
        self._up = True
        self.store.recover()
        if self._address:
            await self.listen(*self._address)

    async def start_empty(self) -> None:
        """Come back after `kill` with nothing, as a node does whose data was deleted."""
        self.store.clear()
        await self.start()

    def freeze(self) -> None:
        """Do nothing until `thaw`, as after SIGSTOP: what clients send waits."""
        self._running.clear()
        self.store.pause()

    def thaw(self) -> None:
        if not self._running.is_set():
            self._running.set()
            self.store.resume()

    async def may_read(self, connection: Connection) -> None:
        """Wait until the broker reads from a client."""
        while not self._running.is_set() or connection in self._blocked:
            await self._running.wait()
            if connection in self._blocked:
                await self._blocked[connection].wait()

    @property
    def is_at_work(self) -> bool:
        return self._up and self._running.is_set()

    def stands_still(self, connection: Connection) -> bool:
        return not self._running.is_set() or connection in self._blocked

    # --- faults

    def cut(self, name: str | None = None) -> None:
        """Cut all connections, or those of one name, without a word."""
        for connection in self.named(name):
            connection.cut()

    def close_connections(self, name: str | None = None, text: str = "closed by an operator") -> None:
        """Close all connections, or those of one name, as `rabbitmqctl close_all_connections` does."""
        for connection in self.named(name):
            connection.close(ConnectionFault(320, text))

    def close_channels(self, name: str | None = None, code: int = 541, text: str = "closed by a fault") -> None:
        """Close the open channels of all connections, or of those of one name, with an error."""
        for connection in self.named(name):
            for channel in list(connection.channels.values()):
                if not channel.closing:
                    channel.close(ChannelFault(code, text))

    def lose_confirms(self, messages: int) -> None:
        """Store the next messages, but never confirm them."""
        self.faults.add("lose", messages)

    def return_publishes(self, messages: int) -> None:
        """Return the next mandatory messages as unroutable, whatever queues there are."""
        self.faults.add("return", messages)

    def nack_publishes(self, messages: int) -> None:
        """Refuse the next messages."""
        self.faults.add("nack", messages)

    def requeue_early(self, queue: str, *, failed: bool = True) -> None:
        """Deliver the oldest unsettled message of `queue` again, as after a consumer that seemed dead.

        When its first receiver settles it, nothing happens.
        """
        known = self.store.queues.get(queue)
        if known and known.unsettled:
            known.requeue([next(iter(known.unsettled))], failed=failed)

    def delete_queue(self, name: str) -> None:
        """Delete a queue as an operator does; its consumers are told."""
        self.store.delete_queue(name)

    def raise_alarm(self) -> None:
        """Lack memory: read no more from a connection after the next message that it publishes."""
        self.alarm = True

    def end_alarm(self) -> None:
        for connection in list(self._blocked):
            connection.send(commands.Connection.Unblocked())
        self._end_alarm()

    def block(self, connection: Connection) -> None:
        """Block one that has published during an alarm."""
        if connection not in self._blocked:
            self._blocked[connection] = asyncio.Event()
            connection.send(commands.Connection.Blocked("low on memory"))

    def _end_alarm(self) -> None:
        self.alarm = False
        blocked, self._blocked = self._blocked, {}
        for event in blocked.values():
            event.set()

    def named(self, name: str | None) -> Iterator[Connection]:
        """Return the connections of that name, or all."""
        return iter([connection for connection in self.connections if name in (None, connection.name)])
