"""Everything that happens to the account, once and in order: live, and fetched wherever live has a gap.

Source: https://core.telegram.org/api/updates. Only the watermark whose effects are stored is saved: what came after it
is fetched again by the next start, and the intake recognises it.

Fetching blocks nothing. While a fetch is under way live changes wait for what is before them; while nothing comes of it
their messages go in without moving the watermark.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from edge.userbot.chat.transitions import Incoming
from edge.userbot.driving.messenger import MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.account_updates import (
    Gap,
    LiveChange,
    Phase,
    StateLost,
    TooLong,
    UpdatesDifference,
    UpdatesSource,
    UpdatesState,
)
from edge.userbot.intake.asking import RetriedCalls
from edge.userbot.storage.watermark import Key, Watermark
from events.errors import TimokhaError, TransportError
from events.faults import UNKNOWN_ATTEMPTS
from events.runtime.retrying import Retrying

GAP = timedelta(seconds=0.5)
"""What is missing may still be on its way, as Telegram's documentation says."""
SAVE_EVERY = timedelta(seconds=1)
SILENCE = timedelta(minutes=15)
START_PATIENCE = timedelta(seconds=30)

Found = UpdatesState | UpdatesDifference | TooLong | list[Incoming]
Item = LiveChange | Gap | Incoming | asyncio.Task[Found]

log = structlog.get_logger(__name__)


class CatchUp:
    """`put` what comes live, at any time; `run` hands each message to `receive`, which stores its effect.

    When Telegram has no difference to give, it looks for messages no older than `window`, and not from before
    `known_since`: nobody knows any more whether those were answered. `fetched` is told how many messages each
    catch-up brought. `was_here`: without a watermark this is the first start ever, unless an earlier life was here.
    `ahead`: how far this machine's clock is ahead of Telegram's.
    """

    def __init__(
        self,
        source: UpdatesSource,
        watermark: Watermark,
        receive: Callable[[Incoming], Awaitable[object]],
        *,
        retrying: Retrying,
        window: timedelta,
        known_since: Callable[[], Awaitable[datetime]],
        ahead: Callable[[], timedelta] = timedelta,
        silence: timedelta = SILENCE,
        fetched: Callable[[int], None] = lambda messages: None,
        was_here: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = source
        self._watermark = watermark
        self._receive = receive
        self._retrying = retrying
        self._window = window
        self._known_since = known_since
        self._ahead_of_telegram = ahead
        self._fetched = fetched
        self._was_here = was_here
        self._silence = silence.total_seconds()
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._asking: RetriedCalls[Found] = RetriedCalls(retrying, self._items.put_nowait)
        self._saving = retrying.pauses()
        self._early: list[LiveChange] = []
        self._later: list[Gap] = []
        self._ahead: dict[Key, None] = {}
        """Messages after the watermark that were taken in out of order: a store that is lost forgets them."""
        self._why, self._phase, self._messages, self._unknown = "", Phase.DIFFERENCE, 0, 0
        self._gap_at: float | None = None
        self._save_at: float | None = None
        self._heard_at = self._clock()
        self._state: UpdatesState | None = None
        self._target = UpdatesState()
        self._begun = asyncio.Event()

    def put(self, item: LiveChange | Gap | Incoming) -> None:
        """An `Incoming` by itself has no place in the account's order (channels have their own)."""
        self._items.put_nowait(item)

    def remade(self) -> None:
        """What was saved is gone: save it again."""
        self.put(Gap("the store was made again"))
        if self._state:
            self._save_at = self._clock()

    async def run(self) -> None:
        """For ever. Raises TransportError when the watermark can't be read at the start."""
        try:
            await self._start()
            while True:
                await self._tend()
                item = await self._next()
                if item is not None:
                    await self._take(item)
        finally:
            await self._asking.stop()

    async def begun(self) -> None:
        """Return when there is a state to go on from: nothing from now on can count as from before the first start."""
        await self._begun.wait()

    async def stop(self) -> None:
        """Save what has not been saved; nothing is lost if that fails."""
        if self._save_at is not None:
            await self._save()

    async def _start(self) -> None:
        try:
            self._state = await self._retrying(
                self._watermark.load,
                passing=lambda error: isinstance(error, TransportError),
                patience=START_PATIENCE,
                failed=lambda error, pause: log.warning("catch_up.not_loaded", error=str(error)),
            )
        except StateLost:
            self._begun.set()
            self._fetch("unreadable", Phase.NEW_STATE)
        else:
            self._ahead = dict.fromkeys(self._watermark.ahead)
            if self._state or self._was_here():
                self._begun.set()
            lost = Phase.NEW_STATE if self._was_here() else Phase.FIRST_STATE
            self._fetch("start", Phase.CHECK if self._state else lost)

    async def _next(self) -> Item | None:
        """None when it is time to tend to something."""
        try:
            async with asyncio.timeout(max(0.0, self._due() - self._clock())):
                return await self._items.get()
        except TimeoutError:
            return None

    def _due(self) -> float:
        save_at = float("inf") if self._save_at is None else self._save_at
        return min(save_at, self._asking.due if self._why else min(self._gap_due(), self._heard_at + self._silence))

    def _gap_due(self) -> float:
        return float("inf") if self._gap_at is None else self._gap_at + GAP.total_seconds()

    async def _tend(self) -> None:
        now = self._clock()
        if self._why and now >= self._asking.due:
            if self._asking.idle:
                self._asking.make(self._call())
            else:
                await self._stall("Telegram takes long to answer")
        elif not self._why and now >= self._gap_due():
            self._fetch("gap")
        elif not self._why and now >= self._heard_at + self._silence:
            self._fetch("silence")
        if self._save_at is not None and now >= self._save_at:
            await self._save()

    async def _take(self, item: Item) -> None:
        if isinstance(item, asyncio.Task):
            await self._ended(item)
            return
        self._heard_at = self._clock()
        match item:
            case Incoming():
                await self._receive(item)
            case Gap():
                self._behind(item)
            case LiveChange():
                self._early.append(item)
                if not self._why:
                    await self._apply()
                elif self._asking.stalled:
                    await self._hand()

    def _behind(self, item: Gap) -> None:
        if self._why:
            # Of those that name a change and of those that don't the newest says all.
            self._later = [*(other for other in self._later if (other.pts is None) != (item.pts is None)), item]
        elif item.pts is None or self._state is None or item.pts > self._state.pts:
            self._fetch(item.why)

    # What is in order

    async def _apply(self) -> None:
        """Take the changes that follow on each other; what is left waits for those between."""
        assert self._state
        self._early.sort(key=lambda change: change.pts)
        while self._early and self._early[0].pts - self._early[0].count <= self._state.pts:
            change = self._early.pop(0)
            if change.pts <= self._state.pts:
                continue
            if change.message:
                await self._receive(change.message)
            self._advance(self._state.at(change.pts))
        if not self._early:
            self._gap_at = None
        elif self._gap_at is None:
            self._gap_at = self._clock()

    async def _hand(self) -> None:
        """Take the messages of what came live, out of order: the changes stay, so that the watermark does not move."""
        for number, change in enumerate(self._early):
            known = self._phase is Phase.DIFFERENCE and self._state and change.pts <= self._state.pts
            if change.message and not known:
                await self._receive(change.message)
                self._ahead[_key(change.message)] = None
                self._save_later()
                self._early[number] = replace(change, message=None)

    def _advance(self, state: UpdatesState) -> None:
        self._state = state
        self._save_later()

    def _save_later(self) -> None:
        if self._save_at is None and self._state:
            self._save_at = self._clock() + SAVE_EVERY.total_seconds()

    # What is fetched

    def _fetch(self, why: str, phase: Phase = Phase.DIFFERENCE) -> None:
        """Ask for what happened since the watermark until there is no more."""
        log.info("catch_up.started", why=why, pts=self._state.pts if self._state else None)
        self._why, self._phase, self._messages, self._unknown = why, phase, 0, 0
        self._asking.at_once()

    def _call(self) -> Awaitable[Found]:
        match self._phase:
            case Phase.FIRST_STATE | Phase.CHECK | Phase.NEW_STATE:
                return self._source.state()
            case Phase.DIFFERENCE:
                assert self._state
                return self._source.difference(self._state)
            case Phase.RECENT:
                return self._recent()

    async def _recent(self) -> list[Incoming]:
        """A store that was emptied lately has no record of what was answered before."""
        # Telegram's dates are in whole seconds, rounded down.
        known_since = (await self._known_since()).replace(microsecond=0)
        since = max(self._retrying.clock.now() - self._window, known_since)
        return await self._source.recent(since - self._ahead_of_telegram())

    async def _ended(self, call: asyncio.Task[Found]) -> None:
        self._asking.taken()
        error = UnknownAnswer("a call was cancelled") if call.cancelled() else call.exception()
        if error is None:
            await self._found(call.result())
        elif isinstance(error, StateLost):
            await self._lose(error)
        elif isinstance(error, MessengerError | TransportError) and not isinstance(error, UnknownAnswer):
            self._asking.postpone(error)
            await self._stall(describe_error(error))
        elif isinstance(error, TimokhaError) and not isinstance(error, UnknownAnswer | Undeliverable):
            raise error
        else:
            await self._not_understood(error)

    async def _not_understood(self, error: BaseException) -> None:
        """Ask again, a bounded number of times; then go on without the answer."""
        self._unknown += 1
        if self._unknown >= UNKNOWN_ATTEMPTS and self._phase in (Phase.CHECK, Phase.DIFFERENCE):
            await self._lose(error)
        elif self._unknown >= UNKNOWN_ATTEMPTS and self._phase is Phase.RECENT:
            log.error("catch_up.recent_not_read", error=describe_error(error))
            await self._go_on()
        else:
            self._asking.postpone()
            await self._stall(describe_error(error))

    async def _stall(self, why: str) -> None:
        """Let live messages in although the fetch makes no progress."""
        tell = log.debug if self._asking.stalled else log.warning
        tell("catch_up.stalled", why=self._why, asked_for=self._phase, error=why)
        self._asking.stalled = True
        await self._hand()

    async def _lose(self, error: BaseException, target: UpdatesState | None = None) -> None:
        """There is no difference: read the chats back, and go on from `target`, or from what Telegram says."""
        again = self._asking.failures > 0
        tell = log.debug if again else log.warning
        tell("catch_up.state_lost", pts=self._state.pts if self._state else None, error=describe_error(error))
        self._phase, self._unknown = Phase.RECENT if target else Phase.NEW_STATE, 0
        self._target = target or self._target
        self._asking.postpone()
        if again:
            await self._stall("there is no difference again")
        else:
            self._asking.at_once()

    async def _found(self, found: Found) -> None:
        match found:
            case UpdatesState() if self._phase is Phase.FIRST_STATE:
                await self._begin(found)
            case UpdatesState() if self._phase is Phase.NEW_STATE:
                self._target = found
                self._ask(Phase.RECENT)
            case UpdatesState():
                await self._check(found)
            case TooLong(pts):
                assert self._state
                await self._lose(StateLost("Telegram has too many changes for a difference"), self._state.at(pts))
            case UpdatesDifference():
                await self._different(found)
            case _:
                await self._receive_all(found)
                await self._go_on()

    def _ask(self, phase: Phase) -> None:
        self._phase, self._unknown = phase, 0
        self._asking.at_once()

    async def _check(self, now: UpdatesState) -> None:
        """A saved state that is ahead of Telegram's is not one: with it every change would look known."""
        if self._state and now.pts < self._state.pts:
            await self._lose(StateLost(f"Telegram has {now.pts} changes, the saved state is ahead of that"))
        else:
            self._ask(Phase.DIFFERENCE)

    async def _begin(self, state: UpdatesState) -> None:
        """The first start ever: nothing before it is answered, but what came while it was starting is."""
        before = [change.pts - change.count for change in self._early]
        before += [behind.pts - 1 for behind in self._later if behind.pts]
        self._progressed(state.at(max(0, min([state.pts, *before]))))
        self._ask(Phase.DIFFERENCE)
        await self._save_soon()
        self._begun.set()
        await self._complete()

    async def _different(self, found: UpdatesDifference) -> None:
        assert self._state
        await self._receive_all(found.messages)
        old, new = self._state, found.state
        if new.pts < old.pts and found.complete:
            await self._lose(StateLost(f"Telegram has gone back to change {new.pts}"))
            return
        if new.pts > old.pts or (new.pts == old.pts and new.qts > old.qts):
            self._progressed(new)
            self._ask(Phase.DIFFERENCE)
        elif not found.complete:
            await self._not_understood(UnknownAnswer("the difference does not advance"))
            return
        if found.complete:
            await self._complete()
        else:
            await self._save_soon()

    async def _go_on(self) -> None:
        """From the target: what came live after it and is dropped here is fetched again with the next difference."""
        await self._hand()
        self._early.clear()
        self._gap_at = None
        self._advance(self._target)
        self._ask(Phase.DIFFERENCE)
        await self._save_soon()

    async def _complete(self) -> None:
        await self._apply()
        if not self._early:
            self._ahead.clear()
        await self._save_soon()
        if self._early:
            await self._not_understood(UnknownAnswer("the difference ends before what has come live"))
            return
        log.info("catch_up.done", why=self._why, pts=self._state.pts if self._state else None, messages=self._messages)
        self._why, self._heard_at, self._gap_at = "", self._clock(), None
        self._asking.progressed()
        self._fetched(self._messages)
        later, self._later = self._later, []
        for behind in later:
            self._behind(behind)

    def _progressed(self, state: UpdatesState) -> None:
        self._asking.progressed()
        self._advance(state)

    async def _receive_all(self, messages: Sequence[Incoming]) -> None:
        for message in messages:
            if _key(message) not in self._ahead:
                await self._receive(message)
        self._messages += len(messages)

    # What is saved

    async def _save_soon(self) -> None:
        """Now, unless that has failed lately."""
        if not self._saving.failures:
            await self._save()

    async def _save(self) -> None:
        assert self._state
        try:
            await self._watermark.save(self._state, self._ahead)
        except TransportError as error:
            pause = self._saving.next(error)
            self._save_at = self._clock() + pause.total_seconds()
            log.warning("catch_up.not_saved", error=str(error), again_in=pause.total_seconds())
        else:
            self._saving.reset()
            self._save_at = None

    def _clock(self) -> float:
        return self._retrying.clock.monotonic()


def _key(message: Incoming) -> Key:
    return message.chat, message.message_id
