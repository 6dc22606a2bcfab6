"""This machine's clock may be wrong, or set at any moment; Telegram's is the measure of what is too old."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.raw.core import Message, MsgContainer
from structlog.testing import capture_logs

from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.transitions import Effect
from edge.userbot.intake.account_updates import TooLong, UpdatesDifference, UpdatesState
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.intake import Intake
from edge.userbot.rules import Rules
from edge.userbot.storage.watermark import Watermark
from edge.userbot.telegram.server_time import TICKS, ServerTime, describe_offset
from events.memory import MemoryRecords

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
OFF = [60 * SECOND, -60 * SECOND, 20 * MINUTE, -20 * MINUTE, DAY, -DAY]


@dataclass
class TwoClocks:
    """Telegram's is right; this machine's is `ahead` of it, and its monotonic clock stops while it sleeps."""

    ahead: timedelta = timedelta(0)
    passed: timedelta = timedelta(0)
    asleep: timedelta = timedelta(0)

    @property
    def telegrams(self) -> datetime:
        return NOW + self.passed

    def now(self) -> datetime:
        return self.telegrams + self.ahead

    def monotonic(self) -> float:
        return (self.passed - self.asleep).total_seconds()

    def suspend(self, how_long: timedelta) -> None:
        self.passed += how_long
        self.asleep += how_long

    def message(self, body: Any, *, ago: timedelta = timedelta(0)) -> Message:
        id_ = int((self.telegrams - ago).timestamp() * TICKS) | 1
        return Message(body, id_, 0, 0)


PONG = raw.types.Pong(msg_id=0, ping_id=0)
TOO_LOW = raw.types.BadMsgNotification(bad_msg_id=0, bad_msg_seqno=0, error_code=16)
TOO_HIGH = raw.types.BadMsgNotification(bad_msg_id=0, bad_msg_seqno=0, error_code=17)
PUSHED = raw.types.UpdatesTooLong()


def error(time: ServerTime, clocks: TwoClocks) -> timedelta:
    """How far the estimate of the server's time is off."""
    return timedelta(seconds=time.message_id() / TICKS - clocks.telegrams.timestamp())


@pytest.mark.parametrize("body", [PONG, TOO_LOW, TOO_HIGH])
@pytest.mark.parametrize("ahead", OFF, ids=str)
def test_one_answer_tells_the_servers_time(ahead, body) -> None:
    clocks = TwoClocks(ahead)
    time = ServerTime(clocks)
    assert time.clock_offset() == timedelta(0)
    time.learn_from(clocks.message(body))
    assert abs(error(time, clocks)) < SECOND
    assert abs(time.clock_offset() - ahead) < SECOND


@pytest.mark.parametrize("step", OFF, ids=str)
def test_a_clock_that_is_set_moves_nothing_and_is_noticed_at_once(step) -> None:
    clocks = TwoClocks()
    time = ServerTime(clocks)
    time.learn_from(clocks.message(PONG))
    clocks.ahead += step
    assert abs(error(time, clocks)) < SECOND
    assert abs(time.clock_offset() - step) < SECOND


@pytest.mark.parametrize("body", [PUSHED, PONG], ids=["pushed", "pong"])
def test_after_a_sleep_whatever_comes_first_tells_the_time(body) -> None:
    """Else pyrogram took it for a message from the future, and closed the connection, again and again."""
    clocks = TwoClocks()
    time = ServerTime(clocks)
    time.learn_from(clocks.message(PONG))
    clocks.suspend(100 * SECOND)
    time.learn_from(clocks.message(body))
    assert abs(error(time, clocks)) < SECOND
    assert abs(time.clock_offset()) < SECOND


def test_a_message_that_was_held_up_does_not_set_the_time_back() -> None:
    clocks = TwoClocks()
    time = ServerTime(clocks)
    time.learn_from(clocks.message(PONG))
    time.learn_from(clocks.message(PUSHED, ago=4 * MINUTE))
    assert abs(error(time, clocks)) < SECOND


def test_what_comes_in_a_container_is_heard() -> None:
    clocks = TwoClocks(20 * MINUTE)
    time = ServerTime(clocks)
    time.learn_from(clocks.message(MsgContainer([clocks.message(PUSHED), clocks.message(PONG)])))
    assert abs(time.clock_offset() - 20 * MINUTE) < SECOND


async def test_a_wrong_clock_is_said_once_an_hour_and_a_new_difference_at_once() -> None:
    clocks = TwoClocks()
    time = ServerTime(clocks)

    def heard() -> list[Any]:
        with capture_logs() as lines:
            for _ in range(100):
                time.learn_from(clocks.message(PONG))
                time.report()
        return [line["seconds"] for line in lines if line["event"] == "telegram.clock_off"]

    assert heard() == []
    for ahead, said in [
        (29 * SECOND, []),
        (60 * SECOND, [60]),
        (61 * SECOND, []),
        (-20 * MINUTE, [-1200]),
        (DAY, [86400]),
    ]:
        clocks.ahead = ahead
        assert heard() == said


def test_a_difference_is_told_in_words() -> None:
    assert describe_offset(20 * MINUTE) == "1200 s ahead of Telegram's"
    assert describe_offset(-90 * SECOND) == "90 s behind Telegram's"


@pytest.mark.parametrize("text", ["Тимоха, привет", "/help", "/delete_history"])
@pytest.mark.parametrize("ahead", OFF, ids=str)
async def test_nobody_is_too_late_or_in_time_because_of_our_clock(places, ahead, text) -> None:
    edge = places.edge()
    intake = Intake(edge.ports, edge.drivers, Rules, clock_offset=lambda: ahead)
    telegrams = edge.ports.retrying.clock.now() - ahead
    new = Incoming("1", "2", 7, text, "ru", telegrams - MINUTE)
    old = Incoming("1", "2", 6, text, "ru", telegrams - 11 * MINUTE)
    assert await intake.receive(old) is Effect.TOO_OLD
    assert await intake.receive(new) not in (Effect.TOO_OLD, Effect.SILENT)


@pytest.mark.parametrize("ahead", OFF, ids=str)
async def test_a_live_question_is_not_taken_for_one_from_before_the_records(places, ahead) -> None:
    edge = places.edge()
    intake = Intake(edge.ports, edge.drivers, Rules, clock_offset=lambda: ahead)
    await intake.receive(Incoming("1", "2", 7, "Тимоха, привет", "ru", edge.ports.retrying.clock.now() - ahead))
    current = (await edge.ports.chats.load("2")).current
    assert current is not None
    assert not current.question.doubtful


@pytest.mark.parametrize("ahead", OFF, ids=str)
async def test_what_is_read_back_is_chosen_by_telegrams_clock(places, ahead) -> None:
    asked: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()

    async def state() -> UpdatesState:
        return UpdatesState(pts=5)

    async def changes(since: UpdatesState) -> UpdatesDifference | TooLong:
        return UpdatesDifference(since, [], complete=True) if asked.done() else TooLong(5)

    async def recent(since: datetime) -> list[Incoming]:
        asked.set_result(since)
        return []

    async def known_since() -> datetime:
        return places.retrying.clock.now() - DAY

    records = MemoryRecords()
    watermark = Watermark(records, "1", retrying=places.retrying)
    await watermark.save(UpdatesState(pts=1), [])
    source: Any = SimpleNamespace(state=state, difference=changes, recent=recent, can_read_back=True)
    catch_up = CatchUp(
        source,
        Watermark(records, "1", retrying=places.retrying),
        lambda message: asyncio.sleep(0),
        retrying=places.retrying,
        window=10 * MINUTE,
        known_since=known_since,
        clock_offset=lambda: ahead,
    )
    running = asyncio.create_task(catch_up.run())
    async with asyncio.timeout(10):
        since = await asked
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    telegrams = places.retrying.clock.now() - ahead
    assert abs(telegrams - 10 * MINUTE - since) < 10 * SECOND
