"""Tell a connected person, in the chat with the bot, why it does not answer: once for each reason."""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import structlog

from edge.business import phrases
from edge.business.connections import Connections
from edge.business.kept import Kept
from edge.business.reasons import Reason
from edge.userbot.chat.record import NO_MESSAGE, Notice
from edge.userbot.rules import Rules

log = structlog.get_logger(__name__)


class Telling:
    """`notify`: adds a notice to the person's chat with the bot.

    What was told is stored after the notice. If a process dies in between, the next adds the notice again, under the
    same key and with the same text, so it is sent once.
    """

    def __init__(
        self,
        connections: Connections,
        notify: Callable[[str, Notice], Awaitable[None]],
        rules: Callable[[], Rules],
    ) -> None:
        self._connections = connections
        self._notify = notify
        self._rules = rules
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def tell(self, person: str, reason: Reason) -> None:
        """Tell a person of a reason for silence, unless they know. Raises TransportError while the store is away."""
        async with self._locks.setdefault(person, asyncio.Lock()):
            kept = self._connections.of(person)
            if kept is None or kept.left or kept.is_erased or reason in kept.told:
                return
            log.warning("connection.refuses", account=person, reason=reason)
            await self._notify(person, self._notice(kept, reason))
            await self._connections.tell(person, reason)

    def _notice(self, kept: Kept, reason: Reason) -> Notice:
        text = phrases.refusal(self._rules().locale, reason)
        return Notice(message_id=NO_MESSAGE, text=text, key=f"refused-{reason}-{kept.connection_id}")
