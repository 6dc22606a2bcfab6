"""A bot's changes have two counters: whatever is lost, repeated or late, each takes effect once and in order."""

import asyncio
from collections import Counter as Count
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.driving.messenger import MessengerError
from edge.userbot.intake.account_updates import (
    Counter,
    Gap,
    LiveChange,
    StateLost,
    TooLong,
    UpdatesDifference,
    UpdatesState,
)
from edge.userbot.intake.catch_up import CatchUp
from edge.userbot.intake.change_order import ChangeOrder
from edge.userbot.storage.watermark import Watermark
from events.memory import MemoryRecords
from events.runtime.retrying import Retrying
from events.runtime.tasks import cancel
from tests.unit.conftest import VirtualClock, VirtualLoop

PTS, QTS = Counter.PTS, Counter.QTS
BEGIN = {PTS: 10, QTS: 20}
MINUTE = 60.0


@dataclass(frozen=True)
class Said:
    """A message: it takes effect once."""

    counter: Counter
    number: int

    @property
    def key(self) -> tuple[str, int]:
        return self.counter.value, self.number


@dataclass(frozen=True)
class Now:
    """How a connection is after change `number`: what was said last counts."""

    number: int
    counter = QTS
    key = None


Content = Said | Now


@dataclass
class Bot:
    """A bot's changes as Telegram has them; those of `BEGIN` are forgotten. `answers`: replace the next differences."""

    changes: dict[Counter, list[Content]] = field(default_factory=lambda: {PTS: [], QTS: []})
    answers: list[Callable[[UpdatesState], UpdatesDifference | TooLong] | Exception | float] = field(
        default_factory=list
    )
    slice_size: int = 100
    asked: list[UpdatesState] = field(default_factory=list)
    states: int = 0
    can_read_back: bool = False

    def happens(self, counter: Counter, *, now: bool = False) -> LiveChange:
        number = self.at(counter) + 1
        content = Now(number) if now else Said(counter, number)
        self.changes[counter].append(content)
        return LiveChange(number, 1, content, counter)

    def at(self, counter: Counter) -> int:
        return BEGIN[counter] + len(self.changes[counter])

    async def state(self) -> UpdatesState:
        self.states += 1
        return UpdatesState(pts=self.at(PTS), qts=self.at(QTS))

    async def difference(self, since: UpdatesState) -> UpdatesDifference | TooLong:
        self.asked.append(since)
        match self.answers.pop(0) if self.answers else None:
            case Exception() as error:
                raise error
            case float(seconds):
                await asyncio.sleep(seconds)
            case None:
                pass
            case answer:
                return answer(since)
        return self.since(since)

    def since(self, since: UpdatesState) -> UpdatesDifference:
        """`slice_size` changes of each counter."""
        found: list[Content] = []
        for counter in Counter:
            missed = self.changes[counter][since.of(counter) - BEGIN[counter] :][: self.slice_size]
            found += missed
            since = since.at(since.of(counter) + len(missed), counter)
        return UpdatesDifference(since, found, complete=all(since.of(one) == self.at(one) for one in Counter))

    async def recent(self, since: object) -> list[Content]:
        return []


@dataclass
class Edge:
    """`effects`: how often each message took effect; `connection`: what was stored of it; both outlive the edge.

    `got`: everything that was received by any life, in order.
    """

    bot: Bot
    retrying: Retrying
    counters: tuple[Counter, ...] = tuple(Counter)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    effects: Count[Content] = field(default_factory=Count)
    connection: int = 0
    got: list[Content] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    async def begin(self, **at: int) -> None:
        """An earlier life was here and has seen everything."""
        await self.watermark.save(UpdatesState(pts=BEGIN[PTS], qts=BEGIN[QTS]).model_copy(update=at))

    @property
    def watermark(self) -> Watermark:
        return Watermark(self.records, "1", retrying=self.retrying)

    def start(self) -> None:
        self.catch_up = CatchUp(
            self.bot,  # type: ignore[arg-type]
            self.watermark,
            self._receive,  # type: ignore[arg-type]
            retrying=self.retrying,
            window=timedelta(minutes=10),
            known_since=self.records.created_at,
            has_run_before=lambda: True,
            counters=self.counters,
        )
        self.task = asyncio.create_task(self.catch_up.run())

    async def _receive(self, content: Content) -> None:
        await asyncio.sleep(0.01)
        if isinstance(content, Now):
            self.connection = content.number
        elif content not in self.effects:
            self.effects[content] += 1
        self.got.append(content)
        await asyncio.sleep(0.01)

    async def die(self) -> None:
        await cancel(self.task)

    def put(self, change: LiveChange | Gap) -> None:
        self.catch_up.put(change)

    async def passes(self, seconds: float = MINUTE) -> None:
        await asyncio.sleep(seconds)
        assert self.task
        assert not self.task.done()

    async def saved(self) -> tuple[int, int]:
        state = await self.watermark.load()
        assert state
        return state.pts, state.qts


@pytest.fixture
def told(virtually) -> Callable[..., None]:
    """`told(story)` runs `story(bot, edge)` in virtual time, with an edge that was here before."""

    def run(story: Callable[[Bot, Edge], Awaitable[None]], **settings: object) -> None:
        async def life(retrying: Retrying) -> None:
            edge = Edge(Bot(), retrying, **settings)  # type: ignore[arg-type]
            await edge.begin()
            try:
                await story(edge.bot, edge)
            finally:
                await edge.die()

        virtually(life)

    return run


def numbers(edge: Edge, counter: Counter) -> list[int]:
    return [content.number for content in edge.got if content.counter is counter]


def test_what_was_missed_of_both_counters_comes_at_the_start_slice_by_slice(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        bot.slice_size = 2
        for counter in (PTS, QTS, QTS, QTS, QTS, QTS):
            bot.happens(counter)
        edge.start()
        await edge.passes()
        assert numbers(edge, PTS) == [11]
        assert numbers(edge, QTS) == [21, 22, 23, 24, 25]
        assert [(since.pts, since.qts) for since in bot.asked] == [(10, 20), (11, 22), (11, 24)]
        assert await edge.saved() == (11, 25)

    told(story)


def test_gaps_in_both_counters_cost_one_difference(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        edge.start()
        await edge.passes()
        bot.happens(PTS), bot.happens(QTS)
        edge.put(bot.happens(QTS))
        edge.put(bot.happens(PTS))
        await edge.passes()
        assert (numbers(edge, PTS), numbers(edge, QTS)) == ([11, 12], [21, 22])
        assert len(bot.asked) == 2

    told(story)


def test_a_gap_in_one_counter_does_not_hold_up_the_other(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        edge.start()
        await edge.passes()
        missed = bot.happens(PTS)
        edge.put(bot.happens(PTS))
        edge.put(bot.happens(QTS))
        await edge.passes(0.1)
        assert (numbers(edge, PTS), numbers(edge, QTS)) == ([], [21])
        edge.put(missed)
        await edge.passes(0.1)
        assert (numbers(edge, PTS), len(bot.asked)) == ([11, 12], 1)

    told(story)


def test_too_many_changes_of_the_bots_chats_cost_no_business_message(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        for counter in (PTS, QTS, QTS):
            bot.happens(counter)
        bot.answers.append(lambda since: TooLong(bot.at(PTS)))
        edge.start()
        await edge.passes()
        assert (numbers(edge, PTS), numbers(edge, QTS)) == ([], [21, 22])

    told(story)


def test_too_many_business_messages_for_a_difference_do_not_hold_up_those_that_follow(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        bot.happens(QTS)
        bot.answers += [lambda since: TooLong(bot.at(PTS))]
        edge.start()
        await edge.passes()
        edge.put(bot.happens(QTS))
        await edge.passes()
        assert (numbers(edge, QTS), await edge.saved()) == ([22], (10, 22))

    told(story)


def test_a_saved_state_that_is_ahead_in_one_counter_still_counts_in_the_other(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        await edge.begin(pts=900)
        bot.happens(PTS), bot.happens(QTS)
        edge.start()
        await edge.passes()
        assert (numbers(edge, PTS), numbers(edge, QTS)) == ([], [21])
        assert await edge.saved() == (11, 21)

    told(story)


def test_business_messages_that_telegram_has_forgotten_do_not_end_the_others(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        bot.happens(QTS)
        bot.answers.append(lambda since: UpdatesDifference(UpdatesState(pts=11, qts=3), [], complete=True))
        edge.start()
        await edge.passes()
        edge.put(bot.happens(QTS))
        await edge.passes()
        assert (numbers(edge, QTS)[-1], await edge.saved()) == (22, (10, 22))

    told(story)


def test_a_slice_that_goes_back_in_one_counter_does_not_move_the_state(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        bot.happens(QTS)
        bot.answers.append(lambda since: UpdatesDifference(UpdatesState(pts=11, qts=3), [], complete=False))
        edge.start()
        await edge.passes()
        assert [since.qts for since in bot.asked] == [20, 20]
        assert numbers(edge, QTS) == [21]

    told(story)


def test_a_difference_that_knows_nothing_of_what_came_live_ends_nothing(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        edge.start()
        await edge.passes()
        bot.answers += [lambda since: UpdatesDifference(since, [], complete=True)] * 5
        bot.happens(QTS)
        edge.put(bot.happens(QTS))
        await edge.passes()
        edge.put(bot.happens(QTS))
        await edge.passes()
        assert edge.effects == Count([Said(QTS, 21), Said(QTS, 22), Said(QTS, 23)])
        assert await edge.saved() == (10, 23)

    told(story)


def test_a_watermark_that_can_not_be_used_costs_a_bot_what_it_missed_and_nothing_else(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        bot.happens(QTS)
        bot.answers.append(StateLost("who?"))
        edge.start()
        await edge.passes()
        edge.put(bot.happens(QTS))
        await edge.passes()
        assert (numbers(edge, QTS), await edge.saved()) == ([22], (10, 22))

    told(story)


def test_how_a_connection_is_stays_the_newest_although_older_changes_are_fetched_after_it(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        edge.start()
        await edge.passes()
        bot.happens(QTS, now=True)
        bot.answers.append(MessengerError("away"))
        edge.put(bot.happens(QTS, now=True))
        await edge.passes(1)
        assert edge.connection == 22, "a stalled fetch holds up nothing"
        await edge.passes()
        assert (21 in numbers(edge, QTS), edge.connection) == (True, 22)

    told(story)


@pytest.mark.parametrize("is_in_order", [True, False])
def test_of_changes_that_wait_a_connection_is_taken_in_before_what_is_ordered_through_it(
    virtually, is_in_order
) -> None:
    async def life(retrying: Retrying) -> None:
        edge = Edge(Bot(), retrying)
        order = ChangeOrder(edge.watermark, edge._receive, retrying=retrying)  # type: ignore[arg-type]
        order.state = await edge.bot.state()
        ordered, connected = edge.bot.happens(PTS), edge.bot.happens(QTS, now=True)
        order.early += [ordered, connected]
        await (order.take_in_order() if is_in_order else order.take_out_of_order(skip_known=True))
        assert edge.got == [connected.content, ordered.content]

    virtually(life)


def test_a_user_account_never_asks_because_of_the_other_counter(told) -> None:
    async def story(bot: Bot, edge: Edge) -> None:
        await edge.begin(qts=900)
        bot.answers.append(lambda since: UpdatesDifference(UpdatesState(pts=10, qts=0), [], complete=True))
        edge.start()
        await edge.passes()
        assert (len(bot.asked), bot.states) == (1, 1)
        edge.put(bot.happens(PTS))
        await edge.passes()
        assert (numbers(edge, PTS), len(bot.asked)) == ([11], 1)

    told(story, counters=(PTS,))


DELIVERIES = st.sampled_from(["live", "live", "live", "dropped", "twice", "late"])
CHANGES = st.tuples(st.sampled_from(Counter), DELIVERIES, st.booleans())
ACTS = st.one_of(
    CHANGES,
    CHANGES,
    CHANGES,
    st.sampled_from(["late ones come", "restart", "restart", "too long", "fetched in slices"]),
    st.sampled_from([0.0, 0.005, 0.015, 0.3, 1.0, 1200.0]),
)
FAULTS = st.sampled_from([MessengerError("away"), 3.0, 0.3])


class Story:
    """What happens to an edge and its bot, act by act."""

    def __init__(self, edge: Edge) -> None:
        self.edge, self.bot = edge, edge.bot
        self.late: list[LiveChange] = []

    async def act(self, act: object) -> None:
        match act:
            case Counter() as counter, delivery, bool(now):
                self._happens(self.bot.happens(counter, now=now and counter is QTS), str(delivery))
            case "late ones come":
                for change in self.late:
                    self.edge.put(change)
                self.late.clear()
            case "restart":
                await self.edge.die()
                self.edge.start()
            case "too long":
                self.edge.put(Gap("too long"))
            case "fetched in slices":
                self.bot.slice_size = 1
            case float(seconds):
                await self.edge.passes(seconds)
            case fault:
                self.bot.answers.append(fault)  # type: ignore[arg-type]

    def _happens(self, change: LiveChange, delivery: str) -> None:
        if delivery == "late":
            self.late.append(change)
        for _ in range({"live": 1, "twice": 2}.get(delivery, 0)):
            self.edge.put(change)


def told_to_the_end(acts: list[object]) -> Edge:
    loop = VirtualLoop()

    async def life() -> Edge:
        edge = Edge(Bot(), Retrying(VirtualClock(), Random(7)))
        await edge.begin()
        edge.start()
        story = Story(edge)
        for act in acts:
            await story.act(act)
        edge.put(Gap("reconnected"))
        await edge.passes(10 * MINUTE)
        assert await edge.saved() == (edge.bot.at(PTS), edge.bot.at(QTS))
        await edge.die()
        return edge

    try:
        return loop.run_until_complete(life())
    finally:
        loop.close()


@given(st.lists(ACTS, max_size=25))
def test_whatever_is_dropped_repeated_or_late_each_change_is_taken_in_order(acts) -> None:
    edge = told_to_the_end(acts)
    for counter in Counter:
        first = list(dict.fromkeys(numbers(edge, counter)))
        assert first == list(range(BEGIN[counter] + 1, edge.bot.at(counter) + 1))
    said = {one for changes in edge.bot.changes.values() for one in changes if isinstance(one, Said)}
    assert set(edge.effects) == said
    if "restart" not in acts:
        assert len(edge.got) == sum(len(changes) for changes in edge.bot.changes.values()), "one was taken in twice"


@given(st.lists(st.one_of(ACTS, FAULTS), max_size=25))
def test_while_telegram_does_not_answer_nothing_is_lost_either_and_the_newest_connection_counts(acts) -> None:
    edge = told_to_the_end(acts)
    changes = [one for changes in edge.bot.changes.values() for one in changes]
    assert set(edge.got) == set(changes)
    assert set(edge.effects) == {one for one in changes if isinstance(one, Said)}
    assert edge.connection == max((one.number for one in changes if isinstance(one, Now)), default=0)
