"""Live changes and fetched ones go in once and in order; only what is stored is saved."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from edge.userbot.chat.incoming import Incoming
from edge.userbot.driving.messenger import FloodWaited, MessengerError
from edge.userbot.intake.account_updates import Gap, LiveChange, StateLost, TooLong, UpdatesDifference, UpdatesState
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.storage.watermark import Watermark
from events.memory import MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

RETRYING = Retrying(SystemClock(), Random())


def message(number: int) -> Incoming:
    return Incoming("1", "2", number, str(number), "ru", datetime.now(UTC))


def change(number: int) -> LiveChange:
    """The change that takes pts to `number` is message `number`."""
    return LiveChange(number, 1, message(number))


@dataclass
class FakeAccount:
    """Everything up to `pts` has happened; a difference brings at most `slice_size` messages."""

    pts: int = 0
    slice_size: int = 100
    faults: list[Exception] = field(default_factory=list)
    too_long: bool = False
    asked: list[int] = field(default_factory=list)
    can_read_back: bool = True

    async def state(self) -> UpdatesState:
        return UpdatesState(pts=self.pts)

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        self.asked.append(since.pts)
        if self.faults:
            raise self.faults.pop(0)
        if self.too_long:
            self.too_long = False
            return TooLong(self.pts)
        until = min(self.pts, since.pts + self.slice_size)
        messages = [message(number) for number in range(since.pts + 1, until + 1)]
        return UpdatesDifference(since.at(until), messages, complete=until == self.pts)

    async def recent(self, since: datetime) -> list[Incoming]:
        return [message(number) for number in range(1, self.pts + 1)]


@dataclass
class Inbox:
    """One life of the edge's way in."""

    account: FakeAccount
    records: MemoryRecords
    silence: timedelta = timedelta(minutes=15)
    has_run_before: bool = False
    got: list[int] = field(default_factory=list)
    blocked_at: int = 0
    task: asyncio.Task[None] | None = None

    def start(self) -> "Inbox":
        self.catch_up = CatchUp(
            self.account,
            Watermark(self.records, "1", retrying=RETRYING),
            self._receive,
            retrying=RETRYING,
            window=timedelta(minutes=10),
            known_since=self.records.created_at,
            silence=self.silence,
            has_run_before=lambda: self.has_run_before,
        )
        self.task = asyncio.create_task(self.catch_up.run())
        return self

    async def _receive(self, incoming: Incoming) -> None:
        if incoming.message_id == self.blocked_at:
            await asyncio.Event().wait()
        self.got.append(incoming.message_id)

    def happens(self, *numbers: int) -> None:
        """Live."""
        self.account.pts = max(self.account.pts, *numbers)
        for number in numbers:
            self.catch_up.put(change(number))

    async def gets(self, *numbers: int) -> None:
        async with asyncio.timeout(10):
            while self.got != list(numbers):  # noqa: ASYNC110 - polled on purpose: the list must end up as it is
                await asyncio.sleep(0.01)

    async def caught_up(self, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while len(self.account.asked) < times:  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0.01)

    async def saves(self, pts: int) -> None:
        async with asyncio.timeout(10):
            while (await self.saved()) != pts:  # noqa: ASYNC110 - records have no event
                await asyncio.sleep(0.01)

    async def saved(self) -> int | None:
        state = await Watermark(self.records, "1", retrying=RETRYING).load()
        return state.pts if state else None

    async def die(self) -> None:
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


@dataclass
class Places:
    account: FakeAccount = field(default_factory=FakeAccount)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    lives: list[Inbox] = field(default_factory=list)

    def inbox(self, **settings: timedelta) -> Inbox:
        self.lives.append(Inbox(self.account, self.records, **settings))
        return self.lives[-1]


@pytest.fixture
async def places() -> AsyncIterator[Places]:
    places = Places()
    yield places
    for life in places.lives:
        await life.die()


async def restarted(places: Places, at: int) -> Inbox:
    """An edge that has been here before, up to `at`."""
    await Watermark(places.records, "1", retrying=RETRYING).save(UpdatesState(pts=at))
    places.account.pts = max(places.account.pts, at)
    return places.inbox()


async def test_a_fetch_that_is_asked_for_returns_once_everything_until_then_is_taken_in(places) -> None:
    inbox = (await restarted(places, 10)).start()
    for last in (12, 14):
        places.account.pts = last  # missed
        async with asyncio.timeout(10):
            await inbox.catch_up.fetch("asked for")
        assert inbox.got == list(range(11, last + 1))


async def test_the_first_start_ever_answers_nothing_from_before_it(places) -> None:
    places.account.pts = 40
    inbox = places.inbox().start()
    await inbox.saves(40)
    inbox.happens(41)
    await inbox.gets(41)


async def test_what_comes_while_the_first_start_is_under_way_is_not_lost(places) -> None:
    places.account.pts = 40
    inbox = places.inbox()
    inbox.start()
    inbox.happens(40)
    await inbox.gets(40)


async def test_what_was_missed_comes_at_the_start_slice_by_slice(places) -> None:
    inbox = await restarted(places, 10)
    places.account.pts, places.account.slice_size = 15, 2
    inbox.start()
    await inbox.gets(11, 12, 13, 14, 15)
    assert places.account.asked == [10, 12, 14]
    assert await inbox.saved() == 15


async def test_the_same_change_live_and_fetched_is_taken_once(places) -> None:
    inbox = await restarted(places, 10)
    places.account.pts = 12
    inbox.start()
    inbox.happens(11, 12, 13)
    await inbox.gets(11, 12, 13)


async def test_changes_that_overtake_each_other_are_put_in_order(places) -> None:
    inbox = (await restarted(places, 10)).start()
    await inbox.caught_up()
    places.account.asked.clear()
    inbox.happens(12, 13, 11)
    await inbox.gets(11, 12, 13)
    assert places.account.asked == []


async def test_a_gap_is_fetched(places) -> None:
    inbox = (await restarted(places, 10)).start()
    await inbox.caught_up()
    inbox.happens(13)
    await inbox.gets(11, 12, 13)


@pytest.mark.parametrize("item", [Gap("reconnected"), Gap("short", 12)])
async def test_being_told_that_something_was_missed_fetches_it(places, item) -> None:
    inbox = (await restarted(places, 10)).start()
    await inbox.caught_up()
    places.account.pts = 12
    inbox.catch_up.put(item)
    await inbox.gets(11, 12)


async def test_being_told_of_what_is_known_fetches_nothing(places) -> None:
    inbox = (await restarted(places, 10)).start()
    inbox.happens(11)
    await inbox.gets(11)
    places.account.asked.clear()
    inbox.catch_up.put(Gap("short", 11))
    inbox.happens(12)
    await inbox.gets(11, 12)
    assert places.account.asked == []


async def test_after_a_long_silence_telegram_is_asked(places) -> None:
    inbox = await restarted(places, 10)
    inbox.silence = timedelta(seconds=0.2)
    inbox.start()
    await inbox.caught_up()
    places.account.pts = 11
    await inbox.gets(11)


async def test_without_a_difference_the_chats_are_read_and_then_what_came_meanwhile(places) -> None:
    inbox = await restarted(places, 2)
    places.account.pts, places.account.too_long = 4, True
    inbox.start()
    await inbox.gets(1, 2, 3, 4)
    await inbox.caught_up(2)
    assert places.account.asked == [2, 4]


async def test_a_state_that_telegram_does_not_know_is_replaced_after_reading_the_chats(places) -> None:
    inbox = await restarted(places, 90)
    places.account.pts, places.account.faults = 3, [StateLost("who?")]
    inbox.start()
    await inbox.gets(1, 2, 3)
    await inbox.saves(3)


async def test_a_watermark_that_is_lost_while_nobody_runs_costs_no_message_where_an_earlier_life_was(places) -> None:
    inbox = places.inbox()
    places.account.pts, inbox.has_run_before = 3, True
    inbox.start()
    await inbox.gets(1, 2, 3)
    await inbox.saves(3)
    inbox.happens(4)
    await inbox.gets(1, 2, 3, 4)


@pytest.mark.parametrize("fault", [MessengerError("away"), FloodWaited(timedelta(seconds=0.01))])
async def test_a_telegram_that_does_not_answer_is_asked_again(places, fault) -> None:
    inbox = await restarted(places, 10)
    places.account.pts, places.account.faults = 11, [fault]
    inbox.start()
    await inbox.gets(11)


async def test_a_message_whose_effect_is_not_stored_is_fetched_again_by_the_next_start(places) -> None:
    inbox = (await restarted(places, 10)).start()
    await inbox.caught_up()
    inbox.blocked_at = 12
    inbox.happens(11, 12, 13)
    await inbox.gets(11)
    await inbox.die()

    again = places.inbox().start()
    # The watermark may lag behind what was stored, never be ahead of it: the door recognises what it has seen.
    await asyncio.sleep(0)
    await again.saves(13)
    assert again.got[-2:] == [12, 13]


async def test_a_change_without_a_message_of_the_users_moves_the_watermark(places) -> None:
    inbox = (await restarted(places, 10)).start()
    await inbox.caught_up()
    places.account.asked.clear()
    inbox.catch_up.put(LiveChange(11, 1))
    inbox.catch_up.put(LiveChange(13, 2))
    await inbox.saves(13)
    inbox.happens(14)
    await inbox.gets(14)
    assert places.account.asked == []


async def test_a_watermark_that_somebody_else_saved_is_overtaken(places) -> None:
    mine, other = Watermark(places.records, "1", retrying=RETRYING), Watermark(places.records, "1", retrying=RETRYING)
    await mine.save(UpdatesState(pts=1))
    await other.load()
    await other.save(UpdatesState(pts=2))
    await mine.save(UpdatesState(pts=3))
    assert await other.load() == UpdatesState(pts=3)
