"""Change what is stored by compare-and-set, again as long as others are faster."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from events.errors import Conflict, TransportError
from events.runtime.retrying import Backoff, Retrying

ATTEMPTS = 20
"""To change a record that other processes keep changing, in about 10 s."""
CONFLICT_PAUSES = Backoff(first=timedelta(seconds=0.01), most=timedelta(seconds=1))

T = TypeVar("T")


async def compare_and_set(change: Callable[[], Awaitable[T]], retrying: Retrying, *, attempts: int) -> T:
    """Return the result of `change`, which loads, changes and saves; call it again while it raises Conflict.

    Raises TransportError after `attempts` conflicts in a row, more than ordinary contention causes.
    """
    try:
        return await retrying(
            change, passing=lambda error: isinstance(error, Conflict), backoff=CONFLICT_PAUSES, attempts=attempts
        )
    except Conflict as error:
        raise TransportError(f"{error}, {attempts} times in a row; is there another userbot?") from None
