"""Compare-and-set: a change is made again while another process is faster."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from events.errors import Conflict, TransportError
from events.runtime.retrying import Backoff, Retrying

PAUSES = Backoff(first=timedelta(seconds=0.01), most=timedelta(seconds=1))

T = TypeVar("T")


async def until_won(change: Callable[[], Awaitable[T]], retrying: Retrying, *, attempts: int) -> T:
    """Return what `change` gives, called again while it raises Conflict; each time it must load what it changes.

    Raises TransportError after `attempts` conflicts in a row: that is no ordinary contention.
    """
    try:
        return await retrying(
            change, passing=lambda error: isinstance(error, Conflict), backoff=PAUSES, attempts=attempts
        )
    except Conflict as error:
        raise TransportError(f"{error}, {attempts} times in a row; is there another userbot?") from None
