"""Exchanges: where a message goes to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

KINDS = ("direct", "fanout")
"""Those that we use; RabbitMQ has more."""


@dataclass
class Exchange:
    """`bindings`: a queue's name and a key."""

    name: str
    kind: str
    durable: bool = True
    auto_delete: bool = False
    bindings: dict[tuple[str, str], None] = field(default_factory=dict)

    def route(self, routing_key: str) -> Sequence[str]:
        """Return the names of the queues that get a message, each once."""
        names = {queue: None for queue, key in self.bindings if self.kind == "fanout" or key == routing_key}
        return tuple(names)

    def unbind(self, queue: str) -> None:
        for binding in [binding for binding in self.bindings if binding[0] == queue]:
            del self.bindings[binding]
