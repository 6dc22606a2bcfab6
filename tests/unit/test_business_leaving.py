"""A person who leaves is erased: everything that is stored about them, once, whenever the process dies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from edge.business.kept import GRACE, Kept
from edge.business.leaving import LATE
from edge.userbot.chat.incoming import Press
from edge.userbot.owner.phrases import disconnected
from events.event import Event
from events.ids import RequestId
from events.schema import FinishReason, GenerationCompleted
from events.transport import Channel
from tests.fuses import Fuse
from tests.unit.business_places import CHAT, OTHER, PERSON, Life, Places

SECRET = "a secret"
ASKED = 1011
"""A question's id. The person's account numbers it, and has far more messages than the bot, which numbers orders."""
DONE = disconnected("en")
NOTHING = {"records": [], "marks": [], "events": []}


def run(
    virtually: Callable[[Callable[..., Awaitable[None]]], None], story: Callable[[Places], Awaitable[None]]
) -> None:
    virtually(lambda retrying: story(Places(retrying)))


async def until(condition: Callable[[], Awaitable[object]], *, at_most: timedelta = timedelta(minutes=10)) -> None:
    async with asyncio.timeout(at_most.total_seconds()):
        while not await condition():  # noqa: ASYNC110 - records have no event to wait on
            await asyncio.sleep(0.2)


async def serve(places: Places, life: Life) -> None:
    """Let the person be connected, with two chats that wait for an answer, lists, and an answered chat."""
    await life.begin()
    await life.connects(places.connection("old"))
    edge = await life.edge(PERSON)
    for chat in (CHAT, OTHER):
        await life.asks("old", chat, ASKED, f"bot, {SECRET}")
    await edge.ports.chats.policy.change(lambda policy: policy.having(denied=("@spam",)))
    await until(lambda: thinks(places, 2))
    await edge.ports.chats.change("4", lambda record: record.having(seen=(1,)))
    await edge.ports.chats.unreadable.mark_notified("4")
    await places.log.publish(Channel.DEADLETTERS, answer("4", 9))
    assert len((await places.stored())["records"]) == 4
    assert len((await places.stored())["events"]) == 3


async def thinks(places: Places, number: int) -> bool:
    return len(places.telegram.texts) >= number


def answer(chat: str, message_id: int) -> Event:
    data = GenerationCompleted(
        request_id=f"{PERSON}.{chat}.{message_id}.0", text=SECRET, finish_reason=FinishReason.STOP, model="test"
    )
    return Event.of(data, source="/test", time=datetime.now(UTC))


async def is_erased(places: Places) -> bool:
    kept = await places.kept()
    return kept is not None and kept.erased_at is not None


async def has_left(places: Places) -> bool:
    kept = await places.kept()
    return kept is not None and kept.left


async def disconnect(places: Places, fuse: Fuse) -> None:
    life = Life(places)
    await serve(places, life)
    await life.die()
    dying = Life(places, fuse)
    work = asyncio.create_task(leave(places, dying))
    blown = asyncio.create_task(fuse.blown.wait())
    await asyncio.wait({work, blown}, return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    blown.cancel()
    await dying.die()
    if work.done() and not work.cancelled():
        work.result()
    assert not await is_erased(places) or await places.stored() == NOTHING
    last = Life(places)
    await last.begin()
    await last.tells_the_bot("/disconnect", 20)  # it is fetched again, as the state was not saved
    await until(lambda: is_erased(places))
    await last.die()


async def leave(places: Places, life: Life) -> None:
    await life.begin()
    await life.tells_the_bot("/disconnect", 20)
    await until(lambda: is_erased(places))


def test_who_disconnects_is_erased_and_told_once(virtually) -> None:
    async def story(places: Places) -> None:
        await disconnect(places, Fuse(0, False))
        assert await places.stored() == NOTHING
        assert places.telegram.said_to(PERSON) == [DONE]
        assert len(places.telegram.deleted) == 2  # the thinking lines
        kept = await places.kept()
        assert kept.left
        assert SECRET not in kept.model_dump_json()

    run(virtually, story)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whenever_the_process_dies_on_the_way_the_next_start_erases_everything(virtually, after) -> None:
    journals: list[int] = []

    async def count(places: Places) -> None:
        fuse = Fuse(0, after)
        await disconnect(places, fuse)
        journals.append(len(fuse.journal))

    run(virtually, count)
    assert journals[0] > 15
    for at in range(1, journals[0] + 1):

        async def story(places: Places, at: int = at) -> None:
            await disconnect(places, Fuse(at, after))
            assert await places.stored() == NOTHING, at
            assert places.telegram.said_to(PERSON) == [DONE], at

        run(virtually, story)


def test_a_message_that_is_on_its_way_meanwhile_leaves_no_record_behind(virtually) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        places.telegram.delays["5"] = 60.0
        await life.asks("old", "5", 12, f"bot, {SECRET}")
        await life.tells_the_bot("/disconnect", 20)
        await until(lambda: is_erased(places))
        await asyncio.sleep(120)
        assert await places.stored() == NOTHING
        await life.die()

    run(virtually, story)


@dataclass
class Erasing:
    """Lets it take a while to erase the person's events."""

    places: Places
    seconds: float
    times: int = 0

    def __post_init__(self) -> None:
        self._erase = self.places.log.erase_account
        self.begun = asyncio.Event()
        self.places.log.erase_account = self  # type: ignore[method-assign,assignment]

    async def __call__(self, account: str) -> None:
        self.times += 1
        self.begun.set()
        await asyncio.sleep(self.seconds)
        await self._erase(account)


@pytest.mark.parametrize("by_order", [True, False])
def test_others_do_not_wait_while_somebody_is_erased(virtually, by_order) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        erasing = Erasing(places, 60)
        if by_order:
            await life.tells_the_bot("/disconnect", 20)
        else:
            await life.connects(places.connection("old", is_enabled=False))
        await erasing.begun.wait()
        async with asyncio.timeout(1):  # all that comes is taken in one after the other
            await life.asks("old", CHAT, 30, f"bot, {SECRET}")
            await life.deletes("old", CHAT, 11)
            await life.tells_the_bot("/deny @spam", 31)
            await life.receiving.receive_press(Press(PERSON, 32, "+"))
        assert not await is_erased(places)
        await until(lambda: is_erased(places))
        assert await places.stored() == NOTHING
        assert places.telegram.said_to(PERSON) == [DONE] * by_order
        await life.die()

    run(virtually, story)


def test_what_is_erased_is_not_erased_again_while_the_last_answer_is_being_sent(virtually) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        erasing = Erasing(places, 0)
        places.telegram.delays[PERSON] = 60.0
        await life.tells_the_bot("/disconnect", 20)
        await until(lambda: is_erased(places))
        assert erasing.times == 1
        assert (await places.stored(), places.telegram.said_to(PERSON)) == (NOTHING, [DONE])
        await life.die()

    run(virtually, story)


def test_a_late_reply_to_somebody_who_has_left_is_erased_with_all_that_belongs_to_it(virtually) -> None:
    async def story(places: Places) -> None:
        await disconnect(places, Fuse(0, False))
        life = Life(places)
        await life.begin()
        for channel in (Channel.DEADLETTERS, Channel.REPLIES):
            await places.log.publish(channel, answer(CHAT, ASKED))

        async def is_gone() -> bool:
            return await places.stored() == NOTHING

        await until(is_gone)
        await life.die()

    run(virtually, story)


def test_what_comes_through_the_connection_after_that_is_ignored_and_orders_are_none(virtually) -> None:
    async def story(places: Places) -> None:
        await disconnect(places, Fuse(0, False))
        life = Life(places)
        await life.begin(replies=False)
        await life.asks("old", CHAT, 30, f"bot, {SECRET}")
        await life.deletes("old", CHAT, 30)
        await life.tells_the_bot("/deny @spam", 31)
        await asyncio.sleep(60)
        assert await places.stored() == NOTHING
        assert len(places.telegram.said_to(PERSON)) == 2
        assert "/disconnect" in places.telegram.said_to(PERSON)[1]  # how to connect again
        await life.die()

    run(virtually, story)


def test_a_day_later_what_has_come_late_is_erased_and_only_the_ignored_connection_is_left(virtually) -> None:
    async def story(places: Places) -> None:
        await disconnect(places, Fuse(0, False))
        life = Life(places)
        await life.begin(replies=False)
        await places.log.publish(Channel.DEADLETTERS, answer(CHAT, ASKED))
        await asyncio.sleep(LATE.total_seconds() + 60)
        assert await places.stored() == NOTHING
        assert life.closed == [PERSON]
        assert await places.marks.keys("") == []
        kept = await places.kept()
        assert kept == Kept(connection_id="old", dc_id=2, date=kept.date, left=True, left_at=kept.left_at)
        await life.asks("old", CHAT, 30, f"bot, {SECRET}")
        assert await places.stored() == NOTHING
        await life.connects(places.connection("old", is_enabled=False))  # the person removes it at last
        await asyncio.sleep(GRACE.total_seconds() + LATE.total_seconds() + 60)
        assert await places.kept() is None
        assert life.connections.persons == []
        await life.die()

    run(virtually, story)


def test_a_removed_connection_erases_after_a_while_and_leaves_nothing_a_day_later(virtually) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        assert life.connected == 1
        await life.connects(places.connection("old", is_enabled=False))
        assert life.connected == 0
        await asyncio.sleep(GRACE.total_seconds() - 30)
        assert await places.stored() != NOTHING
        await life.die()
        again = Life(places)  # the time is stored: it does not begin anew
        await again.begin(replies=False)
        await asyncio.sleep(60)
        assert await places.stored() == NOTHING
        assert places.telegram.said_to(PERSON) == []
        await asyncio.sleep(LATE.total_seconds() + 60)
        assert await places.kept() is None
        await again.die()

    run(virtually, story)


@pytest.mark.parametrize("seconds", [0, 1])
def test_changed_settings_that_come_as_a_new_connection_erase_nothing(virtually, seconds) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        before = await places.stored()
        over = places.connection("old", is_enabled=False)
        await life.connects(over)
        await life.connects(places.connection("new", made=timedelta(seconds=seconds)))
        await life.connects(over)  # fetched again, out of order
        await asyncio.sleep(2 * GRACE.total_seconds())
        after = await places.stored()  # the questions are over meanwhile: nobody answered them
        assert (after["records"], after["events"]) == (before["records"], before["events"])
        kept = await places.kept()
        assert (kept.connection_id, kept.answers, kept.erase_at) == ("new", True, None)
        await life.die()

    run(virtually, story)


def test_a_new_connection_after_that_begins_afresh_even_at_once(virtually) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        await life.tells_the_bot("/disconnect", 20)
        await until(lambda: has_left(places))
        await life.connects(places.connection("new", made=timedelta(seconds=1)))
        kept = await places.kept()
        assert kept.answers
        assert life.connected == 1
        stored = await places.stored()
        assert stored["events"] == []
        assert f"{PERSON}.policy" not in stored["records"]
        await life.asks("old", CHAT, 39, f"bot, {SECRET}")  # fetched late: it was asked after they had left
        await life.asks("new", CHAT, 40, "bot, hello")

        async def is_asked() -> bool:
            return await places.log.find(Channel.REQUESTS, RequestId(PERSON, CHAT, "40")) is not None

        await until(is_asked)
        request = (await places.log.find(Channel.REQUESTS, RequestId(PERSON, CHAT, "40"))).data()
        assert [turn.text for turn in request.turns] == ["hello"]
        await asyncio.sleep(60)
        assert places.telegram.said_to(PERSON) == [DONE]
        assert (await places.kept()).answers
        await life.die()

    run(virtually, story)


def test_who_comes_back_with_a_connection_that_is_learned_by_asking_begins_afresh_too(virtually) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        await life.connections.leave(PERSON, since=places.now)
        places.asked_for["new"] = places.connection("new", made=timedelta(seconds=1))
        await life.asks("new", CHAT, 40, "bot, hello")
        kept = await places.kept()
        assert (kept.connection_id, kept.answers) == ("new", True)
        assert SECRET not in str([stored.value for stored in places.records._records.values()])
        assert f"{PERSON}.policy" not in (await places.stored())["records"]
        await life.die()

    run(virtually, story)


@pytest.mark.parametrize("due", [False, True])
def test_a_connection_from_before_the_order_that_is_heard_of_later_counts_no_more(virtually, due) -> None:
    """The update about it was missed, and comes when the person has been told that all is erased, or just before."""

    async def story(places: Places) -> None:
        life = Life(places)
        await serve(places, life)
        await asyncio.sleep(10)
        missed = places.connection("missed", made=timedelta(seconds=-5))
        await life.tells_the_bot("/disconnect", 20)
        await until(lambda: is_erased(places) if due else has_left(places))
        await life.connects(missed)
        await until(lambda: is_erased(places))
        await life.asks("missed", CHAT, 30, f"bot, {SECRET}")
        assert await places.stored() == NOTHING
        kept = await places.kept()
        assert kept
        assert (kept.connection_id, kept.left) == ("missed", True)
        await asyncio.sleep(2)
        await life.connects(places.connection("new"))
        await life.asks("new", CHAT, 40, f"bot, {SECRET}")
        assert (await places.stored())["records"] == [f"{PERSON}.{CHAT}"]
        await life.die()

    run(virtually, story)


def test_connections_that_the_store_has_lost_are_stored_again(virtually) -> None:
    async def story(places: Places) -> None:
        life = Life(places)
        await life.begin(replies=False)
        await life.connects(places.connection("old"))
        places.bucket._records.clear()
        life.connections.on_store_recreated()

        async def is_back() -> bool:
            return await places.kept() == life.connections.of(PERSON)

        await until(is_back)
        await life.die()

    run(virtually, story)
