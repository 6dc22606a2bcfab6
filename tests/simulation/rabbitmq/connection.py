"""Connections: how a client signs in, and its channels.

Source: https://www.rabbitmq.com/amqp-0-9-1-reference, class connection.
"""

import asyncio
from typing import TYPE_CHECKING, TypeVar

from pamqp import commands
from pamqp.base import Frame
from pamqp.constants import FRAME_HEARTBEAT

from tests.simulation.rabbitmq.channel import Channel
from tests.simulation.rabbitmq.errors import ChannelFault, ConnectionFault
from tests.simulation.rabbitmq.frames import FRAME_MAX, PROTOCOL_HEADER, Received, method_frame, read_frame
from tests.simulation.rabbitmq.heartbeats import Heartbeats
from tests.simulation.rabbitmq.publishing import Publishing
from tests.simulation.rabbitmq.store import Store

if TYPE_CHECKING:
    from tests.simulation.rabbitmq.server import SimulatedRabbitMQ

CHANNEL_MAX = 2047
HEARTBEAT_SECONDS = 60
"""What the broker proposes; the client decides."""
CLOSE_TIMEOUT = 5
"""Seconds in which a client has to agree to the end of its connection."""

PROPERTIES: dict[str, object] = {
    "capabilities": {
        "publisher_confirms": True,
        "exchange_exchange_bindings": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "consumer_priorities": True,
        "authentication_failure_close": True,
        "per_consumer_qos": True,
        "direct_reply_to": True,
    },
    "product": "RabbitMQ",
    "version": "4.3.6",
}

Method = TypeVar("Method", bound=Frame)


class Connection:
    """One client; `name` is what it calls itself."""

    def __init__(
        self,
        server: "SimulatedRabbitMQ",
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.server = server
        self.number = number
        self.name = ""
        self.channels: dict[int, Channel] = {}
        self._reader = reader
        self._writer = writer
        self._out: list[bytes] = []
        self._confirming: dict[Publishing, None] = {}
        """Have something to confirm."""
        self._lost = False
        """What the client has not settled is given back, and it is not listened to."""
        self._done = False
        self._heartbeats: Heartbeats | None = None

    @property
    def store(self) -> Store:
        return self.server.store

    async def run(self) -> None:
        """Serve the client until the connection ends."""
        try:
            if await self._greet():
                while not self._done:
                    await self._step()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.lost()
            self._flush()
            self._writer.close()

    def lost(self) -> None:
        """Give back what the client has not settled, once."""
        if self._lost:
            return
        self._end()
        for channel in list(self.channels.values()):
            channel.end()
        for queue in [queue for queue in self.store.queues.values() if queue.owner is self]:
            self.store.delete_queue(queue.name)

    def _end(self) -> None:
        self._lost = True
        if self._heartbeats:
            self._heartbeats.stop()

    # --- from the client

    async def _greet(self) -> bool:
        """Sign the client in; return whether it speaks AMQP 0-9-1."""
        if await self._reader.readexactly(len(PROTOCOL_HEADER)) != PROTOCOL_HEADER:
            self._writer.write(PROTOCOL_HEADER)
            return False
        try:
            await self._sign_in()
        except ConnectionFault as fault:
            self.close(fault)
        return True

    async def _step(self) -> None:
        try:
            await self.server.may_read(self)
            received = await read_frame(self._reader)
            if self.server.aimed.meet(self, received):
                await self.server.may_read(self)
            if self._lost:
                self._done = not received.channel and isinstance(received.method(), commands.Connection.CloseOk)
            else:
                self._receive(received)
        except ConnectionFault as fault:
            self._done = self._lost
            self.close(fault)

    def _receive(self, received: Received) -> None:
        if self._heartbeats:
            self._heartbeats.heard = True
        if received.channel:
            self._pass_on(received)
        elif received.kind != FRAME_HEARTBEAT and isinstance(received.method(), commands.Connection.Close):
            self.lost()
            self.send(commands.Connection.CloseOk())
            self._done = True

    async def _sign_in(self) -> None:
        self.send(commands.Connection.Start(server_properties=PROPERTIES, mechanisms="PLAIN AMQPLAIN"))
        start = await self._expect(commands.Connection.StartOk)
        self.name = str((start.client_properties or {}).get("connection_name", ""))
        _, user, password = f"{start.response}".split("\0")
        if self.server.users.get(user) != password:
            raise ConnectionFault(
                403,
                f"Login was refused using authentication mechanism {start.mechanism}. For details see the broker "
                "logfile.",
            )
        self.send(commands.Connection.Tune(CHANNEL_MAX, FRAME_MAX, HEARTBEAT_SECONDS))
        tune = await self._expect(commands.Connection.TuneOk)
        if tune.heartbeat:
            self._heartbeats = Heartbeats(self, tune.heartbeat)
        vhost = (await self._expect(commands.Connection.Open)).virtual_host
        if vhost != "/":
            raise ConnectionFault(530, f"vhost {vhost} not found")
        self.send(commands.Connection.OpenOk())

    async def _expect(self, kind: type[Method]) -> Method:
        await self.server.may_read(self)
        method = (await read_frame(self._reader)).method()
        if not isinstance(method, kind):
            raise ConnectionFault(503, f"{method.name} instead of {kind.name}")
        return method

    def _pass_on(self, received: Received) -> None:
        channel = self.channels.get(received.channel)
        if channel is None:
            self._open_channel(received)
            return
        try:
            channel.receive(received)
        except ChannelFault as fault:
            channel.close(fault)

    def _open_channel(self, received: Received) -> None:
        method = received.method()
        if isinstance(method, commands.Channel.CloseOk | commands.Channel.Close):
            return
        if not isinstance(method, commands.Channel.Open):
            raise ConnectionFault(504, f"{method.name} on a channel that is not open")
        channel = self.channels[received.channel] = Channel(self, received.channel)
        channel.send(commands.Channel.OpenOk())

    def forget(self, channel: Channel) -> None:
        self.channels.pop(channel.number, None)

    def published(self) -> None:
        """Block the connection if the broker lacks resources."""
        if self.server.alarm:
            self.server.block(self)

    # --- to the client

    def write(self, data: bytes) -> None:
        """Send frames, together with what else is sent in this turn of the loop."""
        self._flush_soon()
        self._out.append(data)

    def confirm_soon(self, publishing: Publishing) -> None:
        """Let it confirm, after what else is sent in this turn."""
        self._flush_soon()
        self._confirming[publishing] = None

    def _flush_soon(self) -> None:
        if not self._out and not self._confirming:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        confirming, self._confirming = self._confirming, {}
        for publishing in confirming:
            publishing.tell()
        data, self._out = b"".join(self._out), []
        if data and not self._writer.is_closing():
            self._writer.write(data)
            if self._heartbeats:
                self._heartbeats.spoke = True

    def send(self, method: Frame) -> None:
        """Send a method of the connection itself."""
        self.write(method_frame(0, method))

    # --- the end

    def close(self, fault: ConnectionFault) -> None:
        """Close with an error; the client has a while to agree."""
        if self._lost:
            return
        self.lost()
        self.send(commands.Connection.Close(fault.code, fault.text, 0, 0))
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.cut)

    def cut(self) -> None:
        """End the connection without a word."""
        self._out.clear()
        self._confirming.clear()
        self._writer.transport.abort()

    def forsake(self) -> None:
        """End it as a killed broker does: the store is left as it is."""
        self._end()
        self._done = True
        self.cut()
