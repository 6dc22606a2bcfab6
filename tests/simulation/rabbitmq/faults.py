"""What a seed's script does to a simulated broker, besides killing and starting it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pamqp.base import Frame
from pamqp.constants import FRAME_METHOD

from tests.simulation.rabbitmq.frames import Received

if TYPE_CHECKING:
    from tests.simulation.rabbitmq.connection import Connection

MAX_MESSAGE_SIZE = 16 * 1024 * 1024
"""Bytes; RabbitMQ's default."""

What = Literal["lose", "return", "nack"]
Strike = Callable[["Connection", int], None]
"""Gets the connection and the number of the channel."""


@dataclass
class PublishFaults:
    """What becomes of the next messages that are published with confirms, by kind.

    `lose`: stored, but never confirmed; `return`: come back as unroutable; `nack`: refused.
    """

    max_message_size: int = MAX_MESSAGE_SIZE
    _left: dict[What, int] = field(default_factory=dict)

    def add(self, what: What, messages: int) -> None:
        self._left[what] = self._left.get(what, 0) + messages

    def takes(self, what: What) -> bool:
        """Return whether it strikes now."""
        left = self._left.get(what, 0)
        if left:
            self._left[what] = left - 1
        return left > 0


@dataclass
class AimedFaults:
    """What strikes in the moment in which a method comes, before it is carried out."""

    _armed: list[tuple[type[Frame], Callable[["Connection"], bool], Strike]] = field(default_factory=list)

    def at(self, method: type[Frame], who: Callable[["Connection"], bool], strike: Strike) -> Callable[[], None]:
        """Strike at the next such method of a connection that `who` chooses; return a function that takes it back."""
        armed = method, who, strike
        self._armed.append(armed)
        return lambda: self._armed.remove(armed) if armed in self._armed else None

    def meet(self, connection: "Connection", received: Received) -> bool:
        """Return whether something has struck at what was received."""
        if not self._armed or received.kind != FRAME_METHOD or not received.channel:
            return False
        method = type(received.method())
        met = [one for one in self._armed if one[0] is method and one[1](connection)]
        for one in met:
            self._armed.remove(one)
            one[2](connection, received.channel)
        return bool(met)
