"""All chats that have something to do, a driver each."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edge.userbot.driving.driver import Driver, ReplyTarget
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.resuming import Resuming, never
from edge.userbot.storage.index import is_chat_token
from events.errors import MalformedEvent
from events.event import Event
from events.runtime.log_throttle import LogThrottle
from events.runtime.tasks import cancel
from events.schema import GenerationProgressed

log = structlog.get_logger(__name__)


class Drivers:
    """Run a driver for each chat while its record asks for something."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._drivers: dict[str, Driver] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.resuming = Resuming(ports.chats, ports.retrying)

    @property
    def busy(self) -> bool:
        """Whether any chat has a driver."""
        return bool(self._drivers)

    def wake(self, chat: str, *, resumed: bool = False, asked: ReplyTarget | None = None) -> None:
        """The chat's record has changed, or can't be read although somebody has `asked`."""
        driver = self._drivers.get(chat)
        if driver:
            driver.wake(asked)
            return
        if self._stopped:
            return
        driver = self._drivers[chat] = Driver(chat, self._ports, resumed=resumed, asked=asked)
        task = asyncio.create_task(self._run(chat, driver), name=f"driver {chat}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def hear(self, event: Event) -> None:
        """What a worker has written so far. For whoever does not wait for it, or can't be read, it is nothing."""
        try:
            data, chat = event.data(), event.request_id.chat
        except MalformedEvent as error:
            log.debug("progress.malformed", request_id=event.subject, error=str(error))
            return
        driver = self._drivers.get(chat)
        if driver and isinstance(data, GenerationProgressed):
            driver.hear(data)

    async def resume(self, *, outdated: Callable[[], Awaitable[bool]] = never) -> None:
        """After a start: take up every chat where the last process left it. Raises TransportError.

        `outdated` tells whether that process may have left chats that are not in the index.
        """
        await self.resuming.complete(outdated=outdated)
        await self.resuming.resume(self._take_up)

    async def keep(self) -> None:
        """Run for ever beside the work: an index that was lost is built again. Raises TransportError."""
        await self.resuming.keep(self._take_up)

    async def stop(self) -> None:
        """Leave everything as it is: the next start resumes it."""
        self._stopped = True
        await cancel(*self._tasks)

    def _take_up(self, chat: str) -> None:
        self.wake(chat, resumed=True)

    async def _run(self, chat: str, driver: Driver) -> None:
        try:
            await driver.run()
            while driver.woken.is_set():
                await driver.run()
        finally:
            del self._drivers[chat]


IGNORED_EVERY = 60.0
"""Seconds between two log lines about hints that name no chat."""


class Hints:
    """A hint says that a chat's record has changed; anybody who may publish on its subject can send any text."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._ignored = LogThrottle(IGNORED_EVERY)

    def hear(self, text: str) -> None:
        if is_chat_token(text):
            self._wake(text)
        elif self._ignored.due("hint"):
            log.warning("hint.ignored", length=len(text), error="it names no chat of Telegram's")
