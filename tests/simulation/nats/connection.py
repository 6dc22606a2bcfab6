"""One client's connection: what it says is carried out, what it is sent goes out in order."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.nats import protocol
from tests.simulation.nats.protocol import Connect, Operation, Parser, Ping, Publish, Subscribe, Unsubscribe, Violation

if TYPE_CHECKING:
    from tests.simulation.nats.server import NatsServer

CHUNK = 64 * 1024


@dataclass(eq=False)
class Subscription:
    """`most`: messages in all after which it ends, 0 for no end."""

    connection: "Connection"
    subject: str
    queue: str
    sid: bytes
    received: int = 0
    most: int = 0

    def take(self, subject: str, reply: str, headers: bytes, payload: bytes) -> None:
        self.received += 1
        self.connection.send(protocol.message(subject, self.sid, reply, headers, payload))
        if 0 < self.most <= self.received:
            self.connection.unsubscribe(self)


class Connection:
    """`name` is what the client calls itself."""

    def __init__(
        self, server: "NatsServer", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.number = server, number
        self.name = ""
        self._options: dict[str, Any] = {}
        self._reader, self._writer = reader, writer
        self._parser = Parser(server.max_payload)
        self._subscriptions: dict[bytes, Subscription] = {}
        self._unsent: list[bytes] = []
        self._is_cut = False
        self._flushing: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve until the client ends the connection or says what is no NATS."""
        self.send(self.server.info(self.number))
        self.server.flush()
        try:
            while data := await self._reader.read(CHUNK):
                await self.server.thawed.wait()
                if self._is_cut:
                    return  # what had come in was not read
                self._receive(data)
                self.server.flush()
        except ConnectionError:
            pass
        except Violation as violation:
            self.send(protocol.error(str(violation)))
            self.flush_now()
        finally:
            self.close()

    def close(self) -> None:
        for subscription in list(self._subscriptions.values()):
            self.unsubscribe(subscription)
        if self._flushing:
            self._flushing.cancel()
        self._writer.close()

    def cut(self) -> None:
        """End the connection without a word; what was not sent is lost."""
        self._is_cut = True
        self._unsent.clear()
        self._writer.transport.abort()

    # --- to the client

    def send(self, data: bytes) -> None:
        self._unsent.append(data)
        self.server.unflushed[self] = None

    def flush(self) -> None:
        """Send what there is, perhaps later, but never before what is older."""
        if self._flushing is None and self._unsent:
            if pause := self.server.faults.pause():
                self._flushing = asyncio.get_running_loop().call_later(pause, self.flush_now)
            else:
                self.flush_now()

    def flush_now(self) -> None:
        self._flushing = None
        if self.server.thawed.is_set() and self._unsent:
            self._writer.write(b"".join(self._unsent))
            self._unsent.clear()

    # --- from the client

    def _receive(self, data: bytes) -> None:
        for operation in self._parser.feed(data):
            self._carry_out(operation)

    def _carry_out(self, operation: Operation) -> None:
        match operation:
            case Publish():
                self._publish(operation)
            case Ping():
                self.send(protocol.PONG)
            case Subscribe(subject, queue, sid):
                self._subscribe(Subscription(self, subject, queue, sid))
            case Unsubscribe(sid, most):
                self._end(sid, most)
            case Connect(options):
                self._options, self.name = options, options.get("name") or ""

    def limit_payload(self, most: int) -> None:
        """Take no larger messages from now on; the client is not told."""
        self._parser.max_payload = most

    def _publish(self, message: Publish) -> None:
        if message.subject in self.server.forbidden:
            self.send(protocol.error(f'Permissions Violation for Publish to "{message.subject}"'))
            return
        heard = self.server.publish(*message)
        if not heard and message.reply and self._options.get("no_responders"):
            nobody = protocol.status("503", Nats_Subject=message.subject)
            for subscription in self.server.subscribers(message.reply):
                if subscription in self._subscriptions.values():
                    subscription.take(message.reply, "", nobody, b"")

    def _subscribe(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.sid] = subscription
        self.server.interest.add(subscription.subject, subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.sid, None)
        self.server.interest.remove(subscription.subject, subscription)

    def _end(self, sid: bytes, most: int) -> None:
        subscription = self._subscriptions.get(sid)
        if subscription and subscription.received < most:
            subscription.most = most
        elif subscription:
            self.unsubscribe(subscription)
