"""What a client publishes on a channel, and how it is confirmed."""

from typing import TYPE_CHECKING

from pamqp.commands import Basic
from pamqp.constants import FRAME_BODY, FRAME_HEADER

from tests.simulation.rabbitmq.content import Content
from tests.simulation.rabbitmq.declarations import find_exchange
from tests.simulation.rabbitmq.errors import ChannelFault, ConnectionFault
from tests.simulation.rabbitmq.frames import Received

if TYPE_CHECKING:
    from tests.simulation.rabbitmq.channel import Channel

SIZE = slice(4, 12)
"""Where a content header says how many bytes follow."""


class Publishing:
    """Collects a message's frames, stores it, and tells the client."""

    def __init__(self, channel: "Channel") -> None:
        self.confirms = False
        self._channel = channel
        self._method: Basic.Publish | None = None
        self._header = b""
        self._body: list[bytes] = []
        self._missing = 0
        self._last = 0
        self._confirmed: list[tuple[int, bool]] = []
        """Not told yet: a number, and whether the message was taken."""
        self._has_gap = False
        """One was never confirmed, so that no later confirmation may include it."""

    @property
    def incomplete(self) -> bool:
        return self._method is not None

    def begin(self, method: Basic.Publish) -> None:
        self._method, self._header, self._body = method, b"", []

    def receive(self, received: Received) -> None:
        """Raises Fault."""
        if self._method is None or (received.kind == FRAME_HEADER) != (not self._header):
            raise ConnectionFault(505, "a content that nobody has announced")
        if received.kind == FRAME_HEADER:
            self._header = received.payload
            self._missing = int.from_bytes(received.payload[SIZE], "big")
        elif received.kind == FRAME_BODY:
            self._body.append(received.payload)
            self._missing -= len(received.payload)
        if self._missing <= 0:
            method, self._method = self._method, None
            self._publish(method, Content(self._header, b"".join(self._body)))

    def _publish(self, method: Basic.Publish, content: Content) -> None:
        connection = self._channel.connection
        store, faults = connection.store, connection.server.faults
        _check(content, faults.max_message_size)
        if method.exchange:
            find_exchange(store, method.exchange)
        self._last += self.confirms
        if self.confirms and faults.takes("nack"):
            self._confirm(taken=False)
            return
        unroutable = method.mandatory and self.confirms and faults.takes("return")
        queues = () if unroutable else store.route(method.exchange, method.routing_key)
        if not queues and method.mandatory:
            self._return(method, content)
        taken = store.publish(content, method.exchange, method.routing_key, queues)
        if self.confirms and faults.takes("lose"):
            self._has_gap = True
        elif self.confirms:
            self._confirm(taken=taken)
        connection.published()

    def _return(self, method: Basic.Publish, content: Content) -> None:
        returned = Basic.Return(312, "NO_ROUTE", method.exchange, method.routing_key)
        self._channel.send_content(returned, content)

    def _confirm(self, *, taken: bool) -> None:
        self._channel.connection.confirm_soon(self)
        self._confirmed.append((self._last, taken))

    def tell(self) -> None:
        """Confirm what came in at once with one frame, as RabbitMQ does."""
        confirmed, self._confirmed = self._confirmed, []
        if not confirmed or self._channel.closing:
            return
        if not self._has_gap and all(taken for _, taken in confirmed):
            self._channel.send(Basic.Ack(confirmed[-1][0], multiple=len(confirmed) > 1))
            return
        for number, taken in confirmed:
            self._channel.send(Basic.Ack(number) if taken else Basic.Nack(number, requeue=False))


def _check(content: Content, max_size: int) -> None:
    """Raises ChannelFault."""
    if len(content.body) > max_size:
        text = f"message size {len(content.body)} is larger than configured max size {max_size}"
        raise ChannelFault(406, text)
    try:
        content.expiration  # noqa: B018 - it has to be a number
    except ValueError:
        raise ChannelFault(406, f"invalid expiration '{content.properties().expiration}': no_integer") from None
