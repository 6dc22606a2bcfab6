"""Whatever Telegram answers, catching up neither hangs nor spins, and live messages are answered meanwhile."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from structlog.testing import capture_logs

from edge.userbot.chat.incoming import Incoming
from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.intake.account_updates import Gap, LiveChange, StateLost, TooLong, UpdatesDifference, UpdatesState
from edge.userbot.intake.catch_up import PATIENCE_WITHOUT_CHATS, CatchUp
from edge.userbot.intake.retried_calls import RetriedCalls
from edge.userbot.storage.watermark import Watermark
from events.errors import Conflict, TransportError
from events.faults import UNKNOWN_ATTEMPTS
from events.memory import MemoryRecords
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel
from tests.answers import ANSWERS

MINUTE = 60.0


def message(number: int) -> Incoming:
    return Incoming("1", "2", number, str(number), "ru", datetime(2026, 11, 25, tzinfo=UTC))


@dataclass
class Telegram:
    """Everything up to `pts` has happened; `answer` replaces its differences, `fail` any answer."""

    pts: int = 10
    answer: Callable[[UpdatesState], UpdatesDifference | TooLong] | None = None
    fail: Callable[[str], Exception | None] = lambda call: None
    slow: timedelta = timedelta(0)
    slow_difference: timedelta = timedelta(0)
    calls: list[tuple[float, str]] = field(default_factory=list)
    looked_back_to: datetime | None = None
    can_read_back: bool = True

    async def state(self) -> UpdatesState:
        await self._called("state")
        return UpdatesState(pts=self.pts)

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        await self._called("difference")
        await asyncio.sleep(self.slow_difference.total_seconds())
        if self.answer:
            return self.answer(since)
        return UpdatesDifference(
            since.at(self.pts), [message(n) for n in range(since.pts + 1, self.pts + 1)], complete=True
        )

    async def recent(self, since: datetime) -> list[Incoming]:
        await self._called("recent")
        self.looked_back_to = since
        await asyncio.sleep(self.slow.total_seconds())
        if not self.can_read_back:
            return []
        return [message(number) for number in range(max(1, self.pts - 2), self.pts + 1)]

    async def _called(self, call: str) -> None:
        self.calls.append((asyncio.get_running_loop().time(), call))
        if error := self.fail(call):
            raise error

    def count(self, call: str) -> int:
        return sum(made == call for _, made in self.calls)


@dataclass
class Life:
    telegram: Telegram
    records: MemoryRecords
    retrying: Retrying
    got: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    storing: timedelta = timedelta(0)

    @asynccontextmanager
    async def running(self):
        self.catch_up = CatchUp(
            self.telegram,
            self.watermark,
            self._receive,
            retrying=self.retrying,
            window=timedelta(minutes=10),
            known_since=self.records.created_at,
            record_fetched=self.sizes.append,
        )
        task = asyncio.create_task(self.catch_up.run())
        try:
            yield self
            assert not task.done(), task.exception()
        finally:
            await cancel(task)

    @property
    def watermark(self) -> Watermark:
        return Watermark(self.records, "1", retrying=self.retrying)

    async def saved(self) -> int | None:
        state = await self.watermark.load()
        return state.pts if state else None

    async def _receive(self, incoming: Incoming) -> None:
        await asyncio.sleep(self.storing.total_seconds())
        self.got.append(incoming.message_id)

    def happens(self, number: int) -> None:
        """Live, with whatever is before it missed."""
        self.telegram.pts = max(number, self.telegram.pts)
        self.catch_up.put(LiveChange(number, 1, message(number)))


async def seen_before(retrying: Retrying, telegram: Telegram, pts: int = 10) -> Life:
    life = Life(telegram, MemoryRecords(), retrying)
    await life.watermark.save(UpdatesState(pts=pts))
    return life


def stuck(since: UpdatesState) -> UpdatesDifference:
    return UpdatesDifference(since, [], complete=False)


def backwards(since: UpdatesState) -> UpdatesDifference:
    return UpdatesDifference(since.at(since.pts - 3), [message(since.pts)], complete=False)


def test_unknown_answers_of_earlier_fetches_do_not_count_against_a_later_one(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        unknown: list[Exception] = []
        telegram = Telegram(fail=lambda call: unknown.pop() if unknown else None)
        life = await seen_before(retrying, telegram)
        with capture_logs() as logs:
            async with life.running():
                await asyncio.sleep(MINUTE)
                for _ in range(2 * UNKNOWN_ATTEMPTS):
                    unknown.append(UnknownAnswer("?"))
                    life.catch_up.put(Gap("too long"))
                    await asyncio.sleep(MINUTE)
                    assert not unknown
        assert not [log for log in logs if log["event"] == "catch_up.state_lost"]
        assert telegram.count("recent") == 0

    virtually(story)


@pytest.mark.parametrize("answer", [stuck, backwards])
def test_a_slice_that_does_not_advance_is_asked_for_less_and_less_often(virtually, answer) -> None:
    async def story(retrying: Retrying) -> None:
        life = await seen_before(retrying, Telegram(answer=answer))
        with capture_logs() as logs:
            async with life.running():
                await asyncio.sleep(1.0)
                life.happens(12)
                await asyncio.sleep(0.1)
                assert 12 in life.got
                assert await life.saved() == 10
                await asyncio.sleep(5)
                assert life.telegram.count("difference") <= 5
                await asyncio.sleep(5 * MINUTE)
                assert len(life.telegram.calls) < 80
                assert [log["event"] for log in logs if log["log_level"] in ("warning", "error")] == [
                    "catch_up.stalled"
                ]
                life.telegram.answer = None
                life.happens(15)
                await asyncio.sleep(20)
                assert await life.saved() == 15
                assert {13, 14, 15} <= set(life.got)

    virtually(story)


@pytest.mark.parametrize("call", ["difference", "state"])
def test_live_messages_are_answered_while_telegram_gives_no_difference_for_minutes(virtually, call) -> None:
    async def story(retrying: Retrying) -> None:
        away = MessengerError("away")
        life = await seen_before(retrying, Telegram(pts=13, fail=lambda made: away if made == call else None))
        async with life.running():
            for number in (15, 16):
                await asyncio.sleep(MINUTE)
                life.happens(number)
                await asyncio.sleep(0.1)
                assert life.got[-1] == number
            assert await life.saved() == 10
            assert len(life.telegram.calls) < 20
            life.telegram.fail = lambda call: None
            await asyncio.sleep(16)
            assert await life.saved() == 16
            # What was handed in out of order is not taken in again.
            assert life.got == [15, 16, 11, 12, 13, 14]

    virtually(story)


def test_what_went_in_out_of_order_is_not_taken_in_again_by_the_next_start(virtually) -> None:
    """Its chat's record would know it, but a store that was emptied meanwhile knows nothing."""

    async def story(retrying: Retrying) -> None:
        life = await seen_before(retrying, Telegram(fail=lambda call: MessengerError("away")))
        async with life.running():
            await asyncio.sleep(5)
            life.happens(12)
            await asyncio.sleep(5)
            life.records = life.catch_up._watermark._records = MemoryRecords()
            life.catch_up.on_store_recreated()
            await asyncio.sleep(5)
        # Killed: nothing is saved at the end.
        life.telegram.fail = lambda call: None
        async with life.running():
            await asyncio.sleep(5)
        assert life.got == [12, 11]
        assert (await life.saved(), life.watermark.taken_early) == (12, ())

    virtually(story)


def test_what_went_in_just_before_a_kill_is_fetched_again(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        life = await seen_before(retrying, Telegram(fail=lambda call: MessengerError("away")))
        async with life.running():
            await asyncio.sleep(5)
            life.happens(12)
            await asyncio.sleep(0.1)
        life.telegram.fail = lambda call: None
        async with life.running():
            await asyncio.sleep(1)
        assert life.got == [12, 11, 12]

    virtually(story)


def test_a_difference_is_not_asked_for_again_while_the_last_one_waits_to_be_taken_in(virtually) -> None:
    """A store that is away holds up what came before it; asked for once more, all of it would be taken in twice."""

    async def story(retrying: Retrying) -> None:
        life = await seen_before(retrying, Telegram(slow_difference=timedelta(seconds=1)))
        async with life.running():
            await asyncio.sleep(5)
            before, life.telegram.pts, life.storing = life.telegram.count("difference"), 13, timedelta(seconds=3)
            life.catch_up.put(Gap("short", 11))
            await asyncio.sleep(0.1)
            for number in range(101, 105):
                life.catch_up.put(message(number))  # of a channel: those have no place in the account's order
            await asyncio.sleep(MINUTE)
        assert life.got == [101, 102, 103, 104, 11, 12, 13]
        assert life.telegram.count("difference") == before + 1
        assert await life.saved() == 13

    virtually(story)


def test_a_flood_wait_is_waited_out_and_live_messages_are_answered_meanwhile(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        waits = [FloodWaited(timedelta(minutes=3))]
        telegram = Telegram(fail=lambda call: waits.pop() if waits and call == "difference" else None)
        life = await seen_before(retrying, telegram)
        async with life.running():
            await asyncio.sleep(1)
            life.happens(12)
            life.catch_up.put(Gap("reconnected"))
            await asyncio.sleep(2.9 * MINUTE)
            assert life.got == [12]
            assert telegram.count("difference") == 1
            await asyncio.sleep(0.3 * MINUTE)
            assert life.got == [12, 11]

    virtually(story)


def test_live_messages_do_not_wait_while_the_chats_are_read_back(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        answers = [TooLong(10)]
        telegram = Telegram(slow=timedelta(minutes=2))
        telegram.answer = lambda since: (
            answers.pop() if answers else UpdatesDifference(since.at(telegram.pts), [], True)
        )
        life = await seen_before(retrying, telegram)
        async with life.running():
            await asyncio.sleep(3)
            life.happens(12)
            await asyncio.sleep(0.1)
            assert life.got == [12]
            await asyncio.sleep(2 * MINUTE)
            assert life.got == [12, 10, 11]
            assert await life.saved() == 12

    virtually(story)


@pytest.mark.parametrize("error", [UnknownAnswer("?"), AttributeError("send"), Undeliverable("?"), KeyError("x")])
@pytest.mark.parametrize("call", ["difference", "recent", "state"])
def test_what_nobody_knows_is_tried_a_bounded_number_of_times(virtually, error, call) -> None:
    async def story(retrying: Retrying) -> None:
        telegram = Telegram(pts=12, fail=lambda made: error if made == call else None)
        if call == "recent":
            telegram.answer = lambda since: (
                TooLong(12) if telegram.count("recent") < 1 else UpdatesDifference(since, [], True)
            )
        life = await seen_before(retrying, telegram)
        with capture_logs() as logs:
            async with life.running():
                await asyncio.sleep(2 * MINUTE)
                life.happens(13)
                await asyncio.sleep(0.1)
                assert life.got[-1] == 13
                assert len(telegram.calls) < 40
        warnings = [log for log in logs if log["log_level"] == "warning"]
        assert len(warnings) <= 2
        assert all(str(error) not in str(log) for log in logs if isinstance(error, AttributeError | KeyError))

    virtually(story)


def test_after_an_unknown_error_the_recent_messages_are_read_and_the_state_goes_on(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        faults = [AttributeError("x")] * 5
        telegram = Telegram(pts=12, fail=lambda call: faults.pop() if faults and call == "difference" else None)
        life = await seen_before(retrying, telegram)
        async with life.running():
            await asyncio.sleep(MINUTE)
            assert life.got == [10, 11, 12]
            assert await life.saved() == 12
            life.happens(13)
            await asyncio.sleep(1.1)
            assert await life.saved() == 13

    virtually(story)


@pytest.mark.parametrize(("call", "error"), [("difference", AttributeError("x")), ("state", UnknownAnswer("?"))])
def test_where_no_chats_are_shown_unknown_answers_cost_no_message_for_an_hour(virtually, call, error) -> None:
    """A bot's chats can't be read back: what it gives up is lost."""

    async def story(retrying: Retrying) -> None:
        fails = True
        telegram = Telegram(pts=12, fail=lambda made: error if fails and made == call else None, can_read_back=False)
        life = await seen_before(retrying, telegram)
        async with life.running():
            await asyncio.sleep(50 * MINUTE)
            life.happens(14)
            await asyncio.sleep(0.1)
            assert life.got == [14]
            assert await life.saved() == 10
            assert telegram.count("recent") == 0
            assert telegram.count(call) < 400
            fails = False
            await asyncio.sleep(MINUTE)
            assert life.got == [14, 11, 12, 13]
            assert await life.saved() == 14

    virtually(story)


def test_where_no_chats_are_shown_a_slice_that_never_advances_is_given_up_in_the_end(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        telegram = Telegram(pts=12, can_read_back=False)
        telegram.answer = lambda since: stuck(since) if since.pts == 10 else UpdatesDifference(since, [], True)
        life = await seen_before(retrying, telegram)
        with capture_logs() as logs:
            async with life.running():
                await asyncio.sleep(PATIENCE_WITHOUT_CHATS.total_seconds() - MINUTE)
                assert await life.saved() == 10
                await asyncio.sleep(2 * MINUTE)
                assert await life.saved() == 12
                life.happens(13)
                await asyncio.sleep(0.1)
                assert life.got == [13]
        assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["catch_up.stalled"]

    virtually(story)


def test_a_state_that_telegram_does_not_know_is_given_up_at_once_also_where_no_chats_are_shown(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        lost = [StateLost("who?")]
        telegram = Telegram(
            pts=12, fail=lambda call: lost.pop() if lost and call == "difference" else None, can_read_back=False
        )
        life = await seen_before(retrying, telegram)
        async with life.running():
            await asyncio.sleep(5)
            assert await life.saved() == 12

    virtually(story)


@pytest.mark.parametrize("answer", [StateLost("who?"), TooLong(10)])
def test_a_state_that_is_lost_again_and_again_is_replaced_less_and_less_often(virtually, answer) -> None:
    async def story(retrying: Retrying) -> None:
        def lost(since: UpdatesState) -> TooLong:
            if isinstance(answer, Exception):
                raise answer
            return answer

        life = await seen_before(retrying, Telegram(answer=lost))
        with capture_logs() as logs:
            async with life.running():
                await asyncio.sleep(10)
                assert life.telegram.count("recent") <= 5
                life.happens(11)
                await asyncio.sleep(0.1)
                assert life.got[-1] == 11
                await asyncio.sleep(10 * MINUTE)
                assert life.telegram.count("recent") < 70
        assert len([log for log in logs if log["log_level"] == "warning"]) <= 2

    virtually(story)


@pytest.mark.parametrize(("age", "looked_back"), [(3, 3), (300, 10)])
def test_what_was_asked_before_an_emptied_store_is_not_asked_again(virtually, age, looked_back) -> None:
    """In minutes. The new store has no record of what was answered before it was made."""

    async def story(retrying: Retrying) -> None:
        begin = retrying.clock.now()
        answers = [TooLong(10)]
        telegram = Telegram()
        telegram.answer = lambda since: (
            answers.pop() if answers else UpdatesDifference(since.at(telegram.pts), [], True)
        )
        life = Life(telegram, MemoryRecords(created_at=begin - timedelta(minutes=age)), retrying)
        await life.watermark.save(UpdatesState(pts=10))
        async with life.running():
            await asyncio.sleep(1)
        assert telegram.looked_back_to is not None
        assert abs(begin - timedelta(minutes=looked_back) - telegram.looked_back_to) < timedelta(seconds=1)

    virtually(story)


def test_a_gap_that_no_difference_fills_is_no_endless_loop(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        life = await seen_before(retrying, Telegram())
        async with life.running():
            await asyncio.sleep(1)
            life.catch_up.put(LiveChange(500, 1, message(500)))
            await asyncio.sleep(5)
            assert 500 in life.got
            assert life.telegram.count("difference") <= 6
            await asyncio.sleep(2 * MINUTE)
            assert len(life.telegram.calls) < 20
            assert await life.saved() == 10

    virtually(story)


def test_a_difference_that_goes_back_reads_the_recent_messages(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        telegram = Telegram(pts=10)
        life = await seen_before(retrying, telegram)
        async with life.running():
            await asyncio.sleep(1)
            telegram.pts = 4
            life.catch_up.put(Gap("reconnected"))
            await asyncio.sleep(1)
            assert life.got == [2, 3, 4]
            assert await life.saved() == 4
            life.happens(5)
            await asyncio.sleep(0.1)
            assert life.got[-1] == 5

    virtually(story)


def test_a_saved_state_that_is_ahead_of_telegrams_makes_nobody_deaf(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        telegram = Telegram(answer=lambda since: UpdatesDifference(since, [], complete=True))
        life = await seen_before(retrying, telegram, pts=2_000_000_000)
        async with life.running():
            await asyncio.sleep(1)
            assert life.got == [8, 9, 10]
            life.happens(11)
            await asyncio.sleep(1.1)
            assert life.got[-1] == 11
            assert await life.saved() == 11

    virtually(story)


UNREADABLE = [
    b"",
    b"{",
    b"\xff",
    b"[]",
    b"{}",
    b"null",
    b'{"version": 1}',
    b'{"pts": 5}',
    b'{"pts": 4294967296, "qts": 0, "date": 0, "seq": 0}',
    b'{"pts": -1, "qts": 0, "date": 0, "seq": 0}',
    b'{"pts": 1, "qts": 99999999999999999999, "date": 0, "seq": 0}',
    b'{"pts": "5", "qts": 0, "date": 0, "seq": 0}',
    b'{"pts": 1.5, "qts": 0, "date": 0, "seq": 0}',
    ANSWERS["a PubAck"],
    ANSWERS["an API answer"],
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_a_watermark_that_cant_be_read_is_replaced_and_recent_messages_are_answered(virtually, value) -> None:
    async def story(retrying: Retrying) -> None:
        life = Life(Telegram(), MemoryRecords(), retrying)
        await life.records.save("1", value, None)
        with capture_logs() as logs:
            async with life.running():
                await asyncio.sleep(1)
        assert life.got == [8, 9, 10]
        assert await life.saved() == 10
        assert [log["event"] for log in logs if log["log_level"] in ("warning", "error")] == ["watermark.unreadable"]

    virtually(story)


def test_a_first_start_while_telegram_is_away_answers_what_comes_live(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        life = Life(Telegram(fail=lambda call: MessengerError("away")), MemoryRecords(), retrying)
        async with life.running():
            await asyncio.sleep(30)
            life.happens(11)
            await asyncio.sleep(0.1)
            assert life.got == [11]
            assert await life.saved() is None
            life.telegram.fail = lambda call: None
            await asyncio.sleep(16)
            assert await life.saved() == 11

    virtually(story)


def test_it_has_begun_when_the_next_start_is_no_first_one(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        life = Life(Telegram(), MemoryRecords(), retrying)
        async with life.running():
            await life.catch_up.wait_until_begun()
            assert await life.saved() == 10
        life.telegram.pts = 11
        async with life.running():
            await life.catch_up.wait_until_begun()
            await asyncio.sleep(1)
        assert life.got == [11]

    virtually(story)


def test_a_bucket_that_was_removed_and_made_again_gets_the_watermark_again(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        life = await seen_before(retrying, Telegram())
        async with life.running():
            life.happens(11)
            await asyncio.sleep(2)
            life.records._records.clear()
            life.catch_up.on_store_recreated()
            await asyncio.sleep(0.1)
            assert await life.saved() == 11
            life.records._records.clear()
            life.happens(12)
            await asyncio.sleep(2)
            assert await life.saved() == 12

    virtually(story)


class Contended(MemoryRecords):
    """Somebody else is always faster."""

    tries = 0

    async def save(self, key: str, value: bytes, version: int | None) -> int:
        self.tries += 1
        raise Conflict(f"record {key} was changed by somebody else")


def test_a_store_that_does_not_take_the_watermark_is_asked_less_and_less_often(virtually) -> None:
    async def story(retrying: Retrying) -> None:
        life = Life(Telegram(), Contended(), retrying)
        with pytest.raises(TransportError):
            await life.watermark.save(UpdatesState(pts=1))
        life.records.tries = 0
        async with life.running():
            life.happens(11)
            await asyncio.sleep(MINUTE)
            life.happens(12)
            await asyncio.sleep(1)
        assert life.got == [11, 12]
        assert life.records.tries < 60

    virtually(story)


async def test_a_failed_call_that_nobody_takes_any_more_leaves_no_complaint() -> None:
    """The session is revoked: the process ends before the call's error is taken out of the queue."""
    complaints: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))

    async def revoked() -> None:
        raise MessengerError("the session is revoked")

    asking: RetriedCalls[None] = RetriedCalls(Retrying(SystemClock(), Random(1)), lambda task: None)
    asking.start(revoked())
    await asyncio.sleep(0.01)
    await asking.stop()
    gc.collect()
    assert complaints == []
