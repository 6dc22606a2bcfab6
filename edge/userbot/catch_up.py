"""Everything that happens to the account, once and in order: live, and fetched wherever live has a gap.

Source: https://core.telegram.org/api/updates. Only the watermark whose effects are stored is saved: what came after it
is fetched again by the next start, and the door recognises it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar, assert_never

import structlog

from edge.userbot.changes import Behind, Change, Difference, Source, State, StateLost, TooLong
from edge.userbot.messenger import FloodWaited, MessengerError
from edge.userbot.receiving import Incoming
from edge.userbot.watermark import Watermark
from events.errors import TransportError
from events.runtime.retrying import Retrying

GAP = timedelta(seconds=0.5)
"""What is missing may still be on its way, as Telegram's documentation says."""
SAVE_EVERY = timedelta(seconds=1)
SILENCE = timedelta(minutes=15)
PAUSE = timedelta(seconds=1)
MAX_PAUSE = timedelta(seconds=30)

Found = TypeVar("Found")

log = structlog.get_logger(__name__)


class CatchUp:
    """`put` what comes live, at any time; `run` hands each message to `receive`, which stores its effect.

    Messages older than `window` are not looked for when Telegram has no difference to give. `fetched` is told how many
    messages each catch-up brought.
    """

    def __init__(
        self,
        source: Source,
        watermark: Watermark,
        receive: Callable[[Incoming], Awaitable[object]],
        *,
        retrying: Retrying,
        window: timedelta,
        silence: timedelta = SILENCE,
        fetched: Callable[[int], None] = lambda messages: None,
    ) -> None:
        self._source = source
        self._watermark = watermark
        self._receive = receive
        self._retrying = retrying
        self._window = window
        self._fetched = fetched
        self._silence = silence.total_seconds()
        self._items: asyncio.Queue[Change | Behind | Incoming] = asyncio.Queue()
        self._early: list[Change] = []
        self._gap_at = self._dirty_at = self._heard_at = 0.0
        self._state = State()

    def put(self, item: Change | Behind | Incoming) -> None:
        """An `Incoming` by itself has no place in the account's order (channels have their own)."""
        self._items.put_nowait(item)

    async def run(self) -> None:
        """For ever. Raises TransportError while the watermark can't be read at the start."""
        saved = await self._watermark.load()
        if saved:
            self._state = saved
            await self._fetch("start")
        else:
            await self._begin()
        while True:
            await self._tend()
            item = await self._next()
            if item is not None:
                self._heard_at = self._clock()
                await self._take(item)

    async def stop(self) -> None:
        """Save what has not been saved; nothing is lost if that fails."""
        if self._dirty_at:
            await self._save()

    async def _begin(self) -> None:
        """The first start ever: nothing before it is answered, but what came while it was starting is."""
        self._state = await self._persistently(self._source.state)
        self._heard_at = self._clock()
        queued = [self._items.get_nowait() for _ in range(self._items.qsize())]
        before = [item.pts - item.count for item in queued if isinstance(item, Change)]
        before += [item.pts - 1 for item in queued if isinstance(item, Behind) and item.pts]
        self._state = self._state.at(min([self._state.pts, *before]))
        for item in queued:
            self.put(item)
        await self._save()

    async def _next(self) -> Change | Behind | Incoming | None:
        """None when it is time to tend to something."""
        try:
            async with asyncio.timeout(max(0.0, self._due() - self._clock())):
                return await self._items.get()
        except TimeoutError:
            return None

    def _due(self) -> float:
        due = self._heard_at + self._silence
        if self._gap_at:
            due = min(due, self._gap_at + GAP.total_seconds())
        if self._dirty_at:
            due = min(due, self._dirty_at + SAVE_EVERY.total_seconds())
        return due

    async def _tend(self) -> None:
        now = self._clock()
        if self._gap_at and now >= self._gap_at + GAP.total_seconds():
            await self._fetch("gap")
        elif now >= self._heard_at + self._silence:
            await self._fetch("silence")
        elif self._dirty_at and now >= self._dirty_at + SAVE_EVERY.total_seconds():
            await self._save()

    async def _take(self, item: Change | Behind | Incoming) -> None:
        match item:
            case Incoming():
                await self._receive(item)
            case Behind(why, pts):
                if pts is None or pts > self._state.pts:
                    await self._fetch(why)
            case Change():
                self._early.append(item)
                await self._apply()
            case _:
                assert_never(item)

    async def _apply(self) -> None:
        """Take the changes that follow on each other; what is left waits for those between."""
        self._early.sort(key=lambda change: change.pts)
        while self._early and self._early[0].pts - self._early[0].count <= self._state.pts:
            change = self._early.pop(0)
            if change.pts <= self._state.pts:
                continue
            if change.message:
                await self._receive(change.message)
            self._advance(self._state.at(change.pts))
        if not self._early:
            self._gap_at = 0.0
        elif not self._gap_at:
            self._gap_at = self._clock()

    def _advance(self, state: State) -> None:
        self._state = state
        self._dirty_at = self._dirty_at or self._clock()

    async def _fetch(self, why: str) -> None:
        """Ask for what happened since the watermark until there is no more."""
        log.info("catch_up.started", why=why, pts=self._state.pts)
        fetched = 0
        while True:
            found = await self._persistently(self._difference)
            messages = await self._recent() if isinstance(found, TooLong) else found.messages
            for message in messages:
                await self._receive(message)
            fetched += len(messages)
            self._advance(self._state.at(found.pts) if isinstance(found, TooLong) else found.state)
            await self._save()
            if isinstance(found, Difference) and found.complete:
                break
        self._heard_at = self._clock()
        self._gap_at = 0.0
        await self._apply()
        self._fetched(fetched)
        log.info("catch_up.done", why=why, pts=self._state.pts, messages=fetched)

    async def _difference(self) -> Difference | TooLong:
        try:
            return await self._source.difference(self._state)
        except StateLost as error:
            log.warning("catch_up.state_lost", pts=self._state.pts, error=str(error))
            return TooLong((await self._source.state()).pts)

    async def _recent(self) -> list[Incoming]:
        since = self._retrying.clock.now() - self._window
        log.warning("catch_up.too_long", since=since.isoformat())
        return await self._persistently(lambda: self._source.recent(since))

    async def _persistently(self, ask: Callable[[], Awaitable[Found]]) -> Found:
        pause = PAUSE
        while True:
            try:
                return await ask()
            except FloodWaited as error:
                await self._retrying.clock.sleep(error.wait)
            except MessengerError as error:
                log.warning("catch_up.again", error=str(error))
                await self._retrying.clock.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE)

    async def _save(self) -> None:
        try:
            await self._watermark.save(self._state)
        except TransportError as error:
            log.warning("catch_up.not_saved", error=str(error))
            self._dirty_at = self._clock()
        else:
            self._dirty_at = 0.0

    def _clock(self) -> float:
        return self._retrying.clock.monotonic()
