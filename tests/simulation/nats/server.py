"""The simulated NATS server: connections, who is interested in what, and JetStream on top.

    store = Store(wall_clock)
    async with NatsServer(store, "127.0.0.1", 0, random=Random(seed)) as server: ...

It may be killed and started again over the same store. What a seed does to it: `cut`, `refuse`, `freeze`, `thaw`,
`kill`, `start`, `empty`, `delete_stream`, and everything in `faults`.
"""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Protocol, Self

from tests.simulation.nats import protocol
from tests.simulation.nats.connection import Connection, Subscription
from tests.simulation.nats.faults import Faults
from tests.simulation.nats.jetstream import JetStream
from tests.simulation.nats.store import Store
from tests.simulation.nats.streams import Stream
from tests.simulation.nats.subjects import SubjectTree

VERSION = "2.15.1"
"""The server that this one behaves like."""
MOST_PAYLOAD = 1024 * 1024
"""Bytes, unless a server is told otherwise."""


class Listener(Protocol):
    """What messages go to: a client's subscription, or a part of JetStream."""

    queue: str

    def take(self, subject: str, reply: str, headers: bytes, payload: bytes) -> None: ...


class NatsServer:
    """`port` 0 takes a free one. `max_payload` in bytes, for connections that are made afterwards."""

    def __init__(self, store: Store, host: str, port: int, *, random: Random, max_payload: int = MOST_PAYLOAD) -> None:
        self.store, self.host, self.port = store, host, port
        self.max_payload = max_payload
        self.faults = Faults(random)
        self.forbidden: dict[str, None] = {}
        """Subjects that nobody may publish to now, as by permissions that were reloaded."""
        self.interest: SubjectTree[Listener] = SubjectTree()
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.unflushed: dict[Connection, None] = {}
        self.connections: dict[Connection, asyncio.Task[Any]] = {}
        self._random = random
        self._id = random.randbytes(16).hex().upper()
        self._made = 0
        self._refusing = 0
        self._failures: list[Exception] = []
        self._held: list[Callable[[], None]] = []
        self._listening: asyncio.Server | None = None
        self._jetstream: JetStream | None = None

    @property
    def url(self) -> str:
        return f"nats://{self.host}:{self.port}"

    # --- its life

    async def start(self) -> None:
        """Start over what the store has."""
        self._jetstream = JetStream(self)
        self._listening = await asyncio.start_server(self.serve, self.host, self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """End as by SIGKILL: what was acknowledged is in the store, the rest is lost.

        Raises what this server was not made for, if a client has brought it.
        """
        if self._listening:
            self._listening.close()
        if self._jetstream:
            self._jetstream.end()
        self._listening = self._jetstream = None
        self.interest = SubjectTree()
        self.cut()
        self._held.clear()
        self.thawed.set()
        if self.connections:
            await asyncio.wait(self.connections.values())
        for failure in self._failures:
            raise failure

    async def empty(self, streams: dict[str, Stream] | None = None) -> None:
        """Come back with nothing stored, or only these streams."""
        await self.kill()
        self.store.streams.clear()
        self.store.streams.update(streams or {})
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    # --- what a seed does to it

    def cut(self, name: str | None = None) -> None:
        """Cut all connections, or those of the clients that call themselves so."""
        for connection in list(self.connections):
            if name is None or connection.name == name:
                connection.cut()

    def refuse(self, seconds: float) -> None:
        """Cut new connections at once, for a while."""
        self._refusing += 1
        asyncio.get_running_loop().call_later(seconds, self._refuse_no_longer)

    def _refuse_no_longer(self) -> None:
        self._refusing -= 1

    def freeze(self) -> None:
        """Read nothing and answer nothing until `thaw`; connections stay."""
        self.thawed.clear()

    def thaw(self) -> None:
        self.thawed.set()
        held, self._held = self._held, []
        for callback in held:
            callback()
        for connection in self.connections:
            connection.flush()

    def delete_stream(self, name: str) -> None:
        """Delete a stream or (`KV_…`) a bucket, as somebody with a tool does. Raises Refused."""
        assert self._jetstream
        self._jetstream.delete_stream(name)
        self.flush()

    def delete_consumer(self, stream: str, name: str) -> None:
        """Likewise a consumer. Raises Refused."""
        assert self._jetstream
        self._jetstream.delete_consumer(stream, name)
        self.flush()

    def limit_messages(self, stream: str, most: int) -> None:
        """Let a stream, if there is one, take messages up to a size from now on, as an update of it does; -1: any."""
        if found := self.store.streams.get(stream):
            found.config = {**found.config, "max_msg_size": most}

    def limit_payload(self, most: int = MOST_PAYLOAD) -> None:
        """Likewise the server, as a reload of its settings does."""
        self.max_payload = most
        for connection in self.connections:
            connection.limit_payload(most)

    def send_junk(self) -> None:
        """Send everybody who asks for deliveries what says that it is one and is none, if the server is up."""
        for request in self._jetstream.requests() if self._jetstream else ():
            self.publish(request.reply, "$JS.ACK.none", b"", b"")
        self.flush()

    # --- what its parts call

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        if self._refusing:
            writer.transport.abort()
            return
        self._made += 1
        connection = Connection(self, self._made, reader, writer)
        task = asyncio.current_task()
        assert task
        self.connections[connection] = task
        try:
            await self.thawed.wait()
            await connection.run()
        except Exception as error:  # noqa: BLE001 - told by `kill`
            self._failures.append(error)
        finally:
            self.connections.pop(connection, None)
            self.unflushed.pop(connection, None)

    def info(self, number: int) -> bytes:
        return protocol.info(
            server_id=self._id,
            server_name=self._id,
            version=VERSION,
            proto=1,
            host=self.host,
            port=self.port,
            headers=True,
            max_payload=self.max_payload,
            jetstream=True,
            client_id=number,
        )

    def publish(self, subject: str, reply: str, headers: bytes, payload: bytes, *, under: str | None = None) -> bool:
        """Hand a message to everything that listens, as `under` if given; return whether anything does."""
        listeners = self.interest.match(subject)
        for listener in self._one_of_each_queue(listeners):
            listener.take(under or subject, reply, headers, payload)
        return bool(listeners)

    def _one_of_each_queue(self, listeners: list[Listener]) -> Iterable[Listener]:
        if not any(listener.queue for listener in listeners):
            return listeners
        chosen = [listener for listener in listeners if not listener.queue]
        queues: dict[str, list[Listener]] = {}
        for listener in listeners:
            queues.setdefault(listener.queue, []).append(listener)
        return chosen + [self._random.choice(queue) for name, queue in queues.items() if name]

    def subscribers(self, subject: str) -> list[Subscription]:
        return [found for found in self.interest.match(subject) if isinstance(found, Subscription)]

    def later(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call when the loop's time is `when`, or after the thaw."""
        return asyncio.get_running_loop().call_at(when, self._run, callback)

    def _run(self, callback: Callable[[], None]) -> None:
        if not self.thawed.is_set():
            self._held.append(callback)
            return
        callback()
        self.flush()

    def flush(self) -> None:
        """Send what every connection has to send."""
        unflushed, self.unflushed = self.unflushed, {}
        for connection in unflushed:
            connection.flush()
