"""Store what a message changes, as often as it takes: the store may be away for a while."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from edge.userbot.chat.incoming import Message, Reaction
from edge.userbot.error_lines import describe_error
from edge.userbot.storage.chats import STORE_PAUSES
from events.errors import TimokhaError, TransportError
from events.faults import Fault
from events.runtime.retrying import Retrying

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def store_with_retries(
    change: Callable[[], Awaitable[T]], message: Message | Reaction, retrying: Retrying, *, attempts: int
) -> T:
    """Return the result of `change`. Retry while the store is away; after unknown faults, up to `attempts` times."""
    faults = 0

    def passing(error: Exception) -> bool:
        nonlocal faults
        if isinstance(error, TransportError) and error.fault is not Fault.UNKNOWN:
            return error.fault is not Fault.FINAL
        if isinstance(error, TimokhaError) and not isinstance(error, TransportError):
            return False
        faults += 1
        return faults < attempts

    def failed(error: Exception, pause: timedelta) -> None:
        log.warning("message.again", chat=message.chat, message=message.message_id, error=describe_error(error))

    return await retrying(change, passing=passing, backoff=STORE_PAUSES, failed=failed)
