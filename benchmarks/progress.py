"""What a running part tells whoever watches; nobody, if it is run alone."""

from collections.abc import Callable
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def listen(listener: Callable[[str], None]) -> None:
    """Hear everything that is told from here on, in this context."""
    _listener.set(listener)


def tell(doing: str) -> None:
    """E.g. `64 in flight, round 3 of 20`."""
    if listener := _listener.get():
        listener(doing)
