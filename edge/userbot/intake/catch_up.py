"""Take in the account's changes once and in order: live ones, and fetched ones where there is a gap between them.

Source: https://core.telegram.org/api/updates. During a fetch live changes wait for those before them. If the fetch
stalls, their messages are taken in, but the state does not move.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from edge.userbot.driving.messenger import MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.account_updates import (
    Counter,
    Gap,
    Keyed,
    LiveChange,
    Phase,
    StateLost,
    TooLong,
    UpdatesDifference,
    UpdatesSource,
    UpdatesState,
)
from edge.userbot.intake.change_order import NEVER, ChangeOrder
from edge.userbot.intake.retried_calls import RetriedCalls
from edge.userbot.storage.watermark import Watermark
from events.errors import TimokhaError, TransportError
from events.faults import UNKNOWN_ATTEMPTS
from events.runtime.retrying import Retrying

SILENCE = timedelta(minutes=15)
START_PATIENCE = timedelta(seconds=30)
PATIENCE_WITHOUT_CHATS = timedelta(hours=1)
"""How long unknown answers are retried where the chats can't be read back: what gives up there loses what was missed.

Live messages are taken in meanwhile. With the default window what was missed is too old for an answer long before.
"""

CallResult = UpdatesState | UpdatesDifference | TooLong | Sequence[Keyed]
Item = LiveChange | Gap | Keyed | asyncio.Task[CallResult]

log = structlog.get_logger(__name__)


class CatchUp:
    """Pass live updates to `put` at any time. `run` passes what each contains to `receive`, which stores its effect.

    If Telegram has no difference, search the chats for messages that are younger than `window`, but not older than
    `known_since`: whether those were answered is not known. `record_fetched` gets the number of messages of each
    catch-up. `has_run_before`: whether an earlier process has run; if not, a start without a watermark is the first.
    `clock_offset`: how far this machine's clock is ahead of Telegram's. `silence`: fetch after such a time without an
    update. `counters`: those whose changes matter here. `group`: whose changes they are if not the account's.
    `begins_anew`: what was missed before the start does not matter, whatever was saved.
    """

    def __init__(
        self,
        source: UpdatesSource,
        watermark: Watermark,
        receive: Callable[[Keyed], Awaitable[object]],
        *,
        retrying: Retrying,
        window: timedelta,
        known_since: Callable[[], Awaitable[datetime]],
        clock_offset: Callable[[], timedelta] = timedelta,
        silence: timedelta = SILENCE,
        record_fetched: Callable[[int], None] = lambda messages: None,
        has_run_before: Callable[[], bool] = lambda: False,
        counters: Sequence[Counter] = (Counter.PTS,),
        group: str | None = None,
        begins_anew: bool = False,
    ) -> None:
        self._source = source
        self._watermark = watermark
        self._receive = receive
        self._retrying = retrying
        self._window = window
        self._known_since = known_since
        self._clock_offset = clock_offset
        self._record_fetched = record_fetched
        self._has_run_before = has_run_before
        self._counters = counters
        self._begins_anew = begins_anew
        self._log = log.bind(group=group) if group else log
        self._silence = silence.total_seconds()
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._calls: RetriedCalls[CallResult] = RetriedCalls(retrying, self._items.put_nowait)
        self._order = ChangeOrder(watermark, receive, retrying=retrying)
        self._later_gaps: list[Gap] = []
        self._why, self._phase, self._messages, self._unknown_answers = "", Phase.DIFFERENCE, 0, 0
        self._unknown_since = 0.0
        self._last_update_at = self._clock()
        self._target = UpdatesState()
        self._has_begun = asyncio.Event()
        self._has_caught_up = asyncio.Event()
        self._completed, self._has_completed = 0, asyncio.Event()

    def put(self, item: LiveChange | Gap | Keyed) -> None:
        """Queue a live update. What is no `LiveChange` is from a channel, which has an order of its own."""
        self._items.put_nowait(item)

    async def fetch(self, why: str) -> None:
        """Fetch what may have been missed, and wait until everything that Telegram had counted by now is taken in."""
        # A fetch that is under way may have been asked for too early.
        needed = self._completed + (2 if self._why else 1)
        self.put(Gap(why))
        while self._completed < needed:
            await self._has_completed.wait()

    def on_store_recreated(self) -> None:
        """Save everything again: the store was lost and recreated."""
        self.put(Gap("the store was made again"))
        self._order.save_again()

    async def run(self) -> None:
        """Run until cancelled. Raises TransportError if the watermark can't be read at the start."""
        try:
            await self._start()
            while True:
                await self._do_what_is_due()
                item = await self._next()
                if item is not None:
                    await self._take(item)
        finally:
            await self._calls.stop()

    async def wait_until_begun(self) -> None:
        """Wait until there is a state to go on from: messages after it are answered, even at the first start."""
        await self._has_begun.wait()

    async def wait_until_caught_up(self) -> None:
        """Wait until the messages that were missed before the start are taken in, or Telegram does not show them."""
        await self._has_caught_up.wait()

    async def stop(self) -> None:
        """Save the state if it is not saved. If that fails, the next start fetches the last changes again."""
        if self._order.save_due != NEVER:
            await self._order.save()

    async def _start(self) -> None:
        try:
            self._order.state = await self._retrying(
                self._watermark.load,
                passing=lambda error: isinstance(error, TransportError),
                patience=START_PATIENCE,
                failed=lambda error, pause: self._log.warning("catch_up.not_loaded", error=str(error)),
            )
        except StateLost:
            self._has_begun.set()
            self._fetch("unreadable", Phase.NEW_STATE)
        else:
            if self._begins_anew:
                self._order.state = None
            self._order.taken_early = dict.fromkeys(self._watermark.taken_early)
            if self._order.state or self._has_run_before():
                self._has_begun.set()
            lost = Phase.NEW_STATE if self._has_run_before() else Phase.FIRST_STATE
            self._fetch("start", Phase.CHECK if self._order.state else lost)

    async def _next(self) -> Item | None:
        """Return the next item, or None if something else is due before."""
        quiet_until = min(self._order.gap_due, self._last_update_at + self._silence)
        due = min(self._order.save_due, self._calls.due if self._why else quiet_until)
        try:
            async with asyncio.timeout(max(0.0, due - self._clock())):
                return await self._items.get()
        except TimeoutError:
            return None

    async def _do_what_is_due(self) -> None:
        now = self._clock()
        if self._why and now >= self._calls.due:
            if self._calls.idle:
                self._calls.start(self._call())
            else:
                await self._stall("Telegram takes long to answer")
        elif not self._why and now >= self._order.gap_due:
            self._fetch("gap")
        elif not self._why and now >= self._last_update_at + self._silence:
            self._fetch("silence")
        if now >= self._order.save_due:
            await self._order.save()

    async def _take(self, item: Item) -> None:
        if isinstance(item, asyncio.Task):
            await self._take_finished_call(item)
            return
        self._last_update_at = self._clock()
        match item:
            case Gap():
                self._note_gap(item)
            case LiveChange():
                self._order.early.append(item)
                if not self._why:
                    await self._order.take_in_order()
                elif self._calls.stalled:
                    await self._take_early_messages()
            case _:
                await self._receive(item)

    def _note_gap(self, item: Gap) -> None:
        if self._why:
            # The newest gap with a change number and the newest without one cover all others.
            self._later_gaps = [
                *(other for other in self._later_gaps if (other.pts is None) != (item.pts is None)),
                item,
            ]
        elif item.pts is None or self._order.state is None or item.pts > self._order.state.pts:
            self._fetch(item.why)

    def _fetch(self, why: str, phase: Phase = Phase.DIFFERENCE) -> None:
        """Start to fetch all changes since the state."""
        self._log.info("catch_up.started", why=why, pts=self._pts)
        self._why, self._phase, self._messages, self._unknown_answers = why, phase, 0, 0
        self._calls.make_due()

    def _call(self) -> Awaitable[CallResult]:
        match self._phase:
            case Phase.FIRST_STATE | Phase.CHECK | Phase.NEW_STATE:
                return self._source.state()
            case Phase.DIFFERENCE:
                assert self._order.state
                return self._source.difference(self._order.state)
            case Phase.RECENT:
                return self._recent()

    async def _recent(self) -> Sequence[Keyed]:
        """Fetch recent messages, but none from before the records were created: they may have been answered."""
        # Telegram's dates are in whole seconds, rounded down.
        known_since = (await self._known_since()).replace(microsecond=0)
        since = max(self._retrying.clock.now() - self._window, known_since)
        return await self._source.recent(since - self._clock_offset())

    async def _take_finished_call(self, call: asyncio.Task[CallResult]) -> None:
        self._calls.drop_result()
        error = UnknownAnswer("a call was cancelled") if call.cancelled() else call.exception()
        if error is None:
            await self._take_result(call.result())
        elif isinstance(error, StateLost):
            await self._recover_from_lost_state(error)
        elif isinstance(error, MessengerError | TransportError) and not isinstance(error, UnknownAnswer):
            self._calls.postpone(error)
            await self._stall(describe_error(error))
        elif isinstance(error, TimokhaError) and not isinstance(error, UnknownAnswer | Undeliverable):
            raise error
        else:
            await self._retry_unknown_answer(error)

    async def _retry_unknown_answer(self, error: BaseException) -> None:
        """Retry a limited number of times, then go on without the answer."""
        if not self._unknown_answers:
            self._unknown_since = self._clock()
        self._unknown_answers += 1
        if self._is_out_of_patience and self._phase in (Phase.CHECK, Phase.DIFFERENCE):
            await self._recover_from_lost_state(error)
        elif self._unknown_answers >= UNKNOWN_ATTEMPTS and self._phase is Phase.RECENT:
            self._log.error("catch_up.recent_not_read", error=describe_error(error))
            await self._continue_from_target()
        else:
            self._calls.postpone()
            await self._stall(describe_error(error))

    @property
    def _is_out_of_patience(self) -> bool:
        """Return whether the state counts as lost after unknown answers in a row."""
        patience = timedelta(0) if self._source.can_read_back else PATIENCE_WITHOUT_CHATS
        waited = self._clock() - self._unknown_since
        return self._unknown_answers >= UNKNOWN_ATTEMPTS and waited >= patience.total_seconds()

    async def _stall(self, why: str) -> None:
        """Note that the fetch makes no progress, and take live messages meanwhile."""
        write_log = self._log.debug if self._calls.stalled else self._log.warning
        write_log("catch_up.stalled", why=self._why, asked_for=self._phase, error=why)
        self._calls.stalled = True
        self._has_caught_up.set()
        await self._take_early_messages()

    async def _recover_from_lost_state(self, error: BaseException, target: UpdatesState | None = None) -> None:
        """Read recent messages, as there is no difference, and go on from `target`, or else from Telegram's state."""
        again = self._calls.failures > 0
        write_log = self._log.debug if again else self._log.warning
        write_log("catch_up.state_lost", pts=self._pts, error=describe_error(error))
        self._phase, self._unknown_answers = Phase.RECENT if target else Phase.NEW_STATE, 0
        self._target = target or self._target
        self._calls.postpone()
        if again:
            await self._stall("there is no difference again")
        else:
            self._calls.make_due()

    async def _take_result(self, found: CallResult) -> None:
        match found:
            case UpdatesState() if self._phase is Phase.FIRST_STATE:
                await self._begin(found)
            case UpdatesState() if self._phase is Phase.NEW_STATE:
                self._target = found
                self._go_to_phase(Phase.RECENT)
            case UpdatesState():
                await self._check(found)
            case TooLong(pts):
                assert self._order.state
                error = StateLost("Telegram has too many changes for a difference")
                # If that is no step ahead, the other counter's changes may be too many: only a new state helps.
                advances = pts > self._order.state.pts
                await self._recover_from_lost_state(error, self._order.state.at(pts) if advances else None)
            case UpdatesDifference():
                await self._take_difference(found)
            case _:
                await self._take_fetched(found)
                await self._continue_from_target()

    def _go_to_phase(self, phase: Phase) -> None:
        self._phase, self._unknown_answers = phase, 0
        self._calls.make_due()

    async def _check(self, now: UpdatesState) -> None:
        """Drop a saved state that is ahead of Telegram's: with it every change would look known.

        A counter of it that is not ahead still counts.
        """
        saved = self._order.state
        if saved and now.is_behind(saved, self._counters):
            error = StateLost(f"Telegram is at {_position(now)}, the saved state at {_position(saved)}")
            await self._recover_from_lost_state(error, now.not_after(saved, self._counters))
        else:
            self._go_to_phase(Phase.DIFFERENCE)

    async def _begin(self, state: UpdatesState) -> None:
        """Begin at the first start: answer messages that came while it was starting, and no earlier ones."""
        for counter in self._counters:
            before = [change.number - change.count for change in self._order.early if change.counter is counter]
            if counter is Counter.PTS:
                before += [gap.pts - 1 for gap in self._later_gaps if gap.pts]
            state = state.at(max(0, min([state.of(counter), *before])), counter)
        self._progress(state)
        self._go_to_phase(Phase.DIFFERENCE)
        await self._order.save_soon()
        self._has_begun.set()
        await self._complete()

    async def _take_difference(self, found: UpdatesDifference) -> None:
        assert self._order.state
        await self._take_fetched(found.messages)
        old, new = self._order.state, found.state
        is_behind = new.is_behind(old, self._counters)
        if found.complete and is_behind:
            await self._recover_from_lost_state(StateLost(f"Telegram has gone back to {_position(new)}"))
            return
        if not is_behind and (new.pts > old.pts or new.qts > old.qts):
            self._progress(new)
            self._go_to_phase(Phase.DIFFERENCE)
        elif not found.complete:
            await self._retry_unknown_answer(UnknownAnswer("the difference does not advance"))
            return
        if found.complete:
            await self._complete()
        else:
            await self._order.save_soon()

    async def _continue_from_target(self) -> None:
        """Go on from the target state."""
        await self._take_early_messages()
        self._order.skip_to(self._target)
        self._go_to_phase(Phase.DIFFERENCE)
        await self._order.save_soon()

    async def _complete(self) -> None:
        await self._order.take_in_order()
        if not self._order.early:
            self._order.taken_early.clear()
        await self._order.save_soon()
        if self._order.early:
            await self._retry_unknown_answer(UnknownAnswer("the difference ends before what has come live"))
            return
        self._log.info(
            "catch_up.done",
            why=self._why,
            pts=self._pts,
            messages=self._messages,
        )
        self._why, self._last_update_at = "", self._clock()
        self._has_caught_up.set()
        self._calls.note_progress()
        self._record_fetched(self._messages)
        later, self._later_gaps = self._later_gaps, []
        for gap in later:
            self._note_gap(gap)
        self._completed += 1
        self._has_completed.set()
        self._has_completed = asyncio.Event()

    async def _take_early_messages(self) -> None:
        """Take the messages of live changes in spite of the gap before them."""
        await self._order.take_out_of_order(skip_known=self._phase is Phase.DIFFERENCE)

    async def _take_fetched(self, contents: Sequence[Keyed]) -> None:
        await self._order.take_fetched(contents)
        self._messages += len(contents)

    def _progress(self, state: UpdatesState) -> None:
        self._calls.note_progress()
        self._order.advance(state)

    @property
    def _pts(self) -> int | None:
        return self._order.state.pts if self._order.state else None

    def _clock(self) -> float:
        return self._retrying.clock.monotonic()


def _position(state: UpdatesState) -> str:
    return f"pts {state.pts}, qts {state.qts}"
