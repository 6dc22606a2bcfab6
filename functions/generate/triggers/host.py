"""What a worker needs of its broker, whichever that is."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from events.ids import RequestId
from events.transport import Progress, Publisher, Subscription


@dataclass(frozen=True, slots=True)
class Host:
    """A connected broker. Call `subscribe` when the engine is ready: from then on requests come.

    `keep` runs beside the work and makes again what has gone at the broker; it raises TransportError where it can't.
    `trouble` returns what keeps requests from coming now, empty if nothing. Without `progress` partial answers are not
    shown.
    """

    system: str
    publisher: Publisher
    answered: Callable[[RequestId], Awaitable[bool]]
    subscribe: Callable[[], Coroutine[Any, Any, Subscription]]
    keep: Callable[[], Coroutine[Any, Any, None]]
    trouble: Callable[[], str]
    progress: Progress | None = None
