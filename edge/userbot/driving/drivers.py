"""Run a driver for each unfinished chat."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edge.userbot.chat.incoming import Typing
from edge.userbot.chat_tokens import is_chat_token
from edge.userbot.driving.driver import Driver, ReplyTarget
from edge.userbot.driving.ports import Ports
from edge.userbot.driving.resuming import Resuming, never
from events.errors import MalformedEvent
from events.event import Event
from events.runtime.log_throttle import LogThrottle
from events.runtime.tasks import cancel
from events.schema import GenerationProgressed

log = structlog.get_logger(__name__)


class Drivers:
    """Runs a driver for each chat while its record asks for steps."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._drivers: dict[str, Driver] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped = False
        self._released = asyncio.Event()
        self._released.set()
        self.resuming = Resuming(ports.chats, ports.retrying)

    @property
    def busy(self) -> bool:
        """Return whether any chat has a driver."""
        return bool(self._drivers)

    def wake(self, chat: str, *, resumed: bool = False, reply_target: ReplyTarget | None = None) -> None:
        """Look at a chat's record: it has changed. `reply_target`: reply to this message if it can't be read."""
        driver = self._drivers.get(chat)
        if driver:
            driver.wake(reply_target)
            return
        if self._stopped:
            return
        driver = self._drivers[chat] = Driver(
            chat, self._ports, self._released, wake=self.wake, resumed=resumed, reply_target=reply_target
        )
        self._tasks[chat] = asyncio.create_task(self._run(chat, driver), name=f"driver {chat}")

    def has(self, chat: str) -> bool:
        """Return whether a chat has unfinished work in this process."""
        return chat in self._drivers

    def chats(self) -> list[str]:
        """Return the chats with unfinished work in this process."""
        return list(self._drivers)

    def note_typing(self, typing: Typing) -> None:
        """Take in that somebody types: a burst of theirs waits."""
        if driver := self._drivers.get(typing.chat):
            driver.note_typing(typing)

    def take_progress(self, event: Event) -> None:
        """Pass the text that a worker has written so far to the chat's driver, if there is one."""
        try:
            data, chat = event.data(), event.request_id.chat
        except MalformedEvent as error:
            log.debug("progress.malformed", request_id=event.subject, error=str(error))
            return
        driver = self._drivers.get(chat)
        if driver and isinstance(data, GenerationProgressed):
            driver.take_progress(data)

    async def resume(self, *, outdated: Callable[[], Awaitable[bool]] = never) -> None:
        """Resume every unfinished chat after a start. Raises TransportError.

        `outdated`: whether the last process may have left unfinished chats that are not in the index.
        """
        await self.resuming.complete_index(outdated=outdated)
        await self.resuming.resume(self._wake_resumed)

    async def keep_index_complete(self) -> None:
        """Run until cancelled: rebuild the index if it is lost. Raises TransportError."""
        await self.resuming.keep_complete(self._wake_resumed)

    def on_store_recreated(self) -> None:
        """Publish again what the streams may have lost, and restore records and index."""
        self.resuming.on_store_recreated()
        for driver in self._drivers.values():
            driver.publish_again()

    def hold(self) -> None:
        """Take no step until `release` is called. What was answered before a restore is looked for nevertheless."""
        self._released.clear()

    def release(self) -> None:
        self._released.set()

    async def stop(self) -> None:
        """Cancel all drivers: the next start resumes their chats."""
        self._stopped = True
        await cancel(*self._tasks.values())

    async def stop_others(self, chat: str) -> None:
        """Cancel all drivers but that of `chat`, for chats that are about to be erased."""
        tasks = {other: task for other, task in self._tasks.items() if other != chat}
        await cancel(*tasks.values())
        for other, task in tasks.items():
            if self._tasks.get(other) is task:  # it was cancelled before it began, so it has not said that it ended
                del self._drivers[other], self._tasks[other]

    def _wake_resumed(self, chat: str) -> None:
        self.wake(chat, resumed=True)

    async def _run(self, chat: str, driver: Driver) -> None:
        try:
            await driver.run()
            while driver.woken.is_set():
                await driver.run()
        finally:
            del self._drivers[chat], self._tasks[chat]


IGNORED_EVERY = 60.0
"""Seconds between two log lines about hints that name no chat."""


class Hints:
    """Wakes the chats named by hints, which say that a record has changed. A hint may be any text: it is checked."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._ignored = LogThrottle(IGNORED_EVERY)

    def receive(self, text: str) -> None:
        if is_chat_token(text):
            self._wake(text)
        elif self._ignored.due("hint"):
            log.warning("hint.ignored", length=len(text), error="it names no chat of Telegram's")
