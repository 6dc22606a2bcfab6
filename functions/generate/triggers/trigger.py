"""What a generate function needs of the broker that hosts it, JetStream or RabbitMQ."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from events.ids import RequestId
from events.transport import Progress, Publisher, Subscription


@dataclass(frozen=True, slots=True)
class Trigger:
    """A connected broker. Call `subscribe` when the engine is ready: requests arrive from then on.

    `upkeep` runs beside the work and restores what is missing at the broker; it raises TransportError if it can't.
    `problem` returns why no requests arrive now, or an empty string. Without `progress` no partial answers are sent.
    """

    system: str
    publisher: Publisher
    is_answered: Callable[[RequestId], Awaitable[bool]]
    subscribe: Callable[[], Coroutine[Any, Any, Subscription]]
    upkeep: Callable[[], Coroutine[Any, Any, None]]
    problem: Callable[[], str]
    progress: Progress | None = None
