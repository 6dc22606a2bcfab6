"""What a seed's script does to a simulated broker, besides killing and starting it."""

from dataclasses import dataclass, field
from typing import Literal

MAX_MESSAGE_SIZE = 16 * 1024 * 1024
"""Bytes; RabbitMQ's default."""

What = Literal["lose", "return", "nack"]


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
