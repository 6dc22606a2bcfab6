"""What a connected person's orders do: the bot numbers them, but the person's account numbers the questions."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from edge.business.leaving import PersonsDeparture
from edge.userbot.chat.record import Order
from edge.userbot.driving.orders import Orders
from edge.userbot.owner import phrases
from edge.userbot.owner.orders import ALL
from tests.unit.business_places import CHAT, OTHER, PERSON, Life, Places

LATER = 10
"""Seconds: longer than the whole seconds of Telegram's dates matter."""


def run(
    virtually: Callable[[Callable[..., Awaitable[None]]], None], story: Callable[[Places, Life], Awaitable[None]]
) -> None:
    async def life(retrying) -> None:
        places = Places(retrying)
        life = Life(places)
        await life.begin()
        await life.connects(places.connection("old"))
        await story(places, life)
        await life.die()

    virtually(life)


async def carry_out(life: Life, order: Order) -> str:
    edge = await life.edge(PERSON)
    return await Orders(edge.ports, edge.drivers.wake).carry_out(order)


async def asked(life: Life) -> list[int]:
    chats = (await life.edge(PERSON)).ports.chats
    records = [await chats.load(chat) for chat in (CHAT, OTHER)]
    return [record.current.question.message_id for record in records if record.current]


@pytest.mark.parametrize("order_id", [20, 5000])
def test_cancelling_drops_what_was_asked_before_whatever_the_ids_are(virtually, order_id) -> None:
    async def story(places: Places, life: Life) -> None:
        await life.asks("old", CHAT, 1011, "bot, before")
        await places.retrying.clock.sleep(timedelta(seconds=LATER))
        order = Order(message_id=order_id, text="/cancel", date=places.now)
        await places.retrying.clock.sleep(timedelta(seconds=LATER))
        await life.asks("old", OTHER, 1012, "bot, after")
        assert await carry_out(life, order) == phrases.cancelled("en", ALL)
        assert await asked(life) == [1012]

    run(virtually, story)


def test_who_disconnects_is_asked_nothing_more_whatever_the_ids_and_dates_are(virtually) -> None:
    async def story(places: Places, life: Life) -> None:
        order = Order(message_id=20, text="/disconnect", date=places.now)
        await places.retrying.clock.sleep(timedelta(seconds=LATER))
        await life.asks("old", CHAT, 1011, "bot, hello")
        assert await carry_out(life, order) == phrases.disconnected("en")
        assert await asked(life) == []

    run(virtually, story)


def test_an_old_order_to_disconnect_does_not_end_a_connection_made_after_it(virtually) -> None:
    async def story(places: Places, life: Life) -> None:
        order = Order(message_id=20, text="/disconnect", date=places.now)
        await places.retrying.clock.sleep(timedelta(seconds=LATER))
        await life.connects(places.connection("old", is_enabled=False))
        await life.connects(places.connection("new"))
        await life.asks("new", CHAT, 1011, "bot, hello")
        assert await carry_out(life, order) == phrases.connected_again("en")
        kept = await places.kept()
        assert (kept.connection_id, kept.answers, await asked(life)) == ("new", True, [1011])
        again = order.model_copy(update={"message_id": 21, "date": places.now})
        assert await carry_out(life, again) == phrases.disconnected("en")
        assert not (await places.kept()).answers

    run(virtually, story)


@pytest.mark.parametrize(
    ("seconds", "is_enabled", "leaves"), [(-1, True, True), (0, True, True), (1, True, False), (1, False, True)]
)
def test_only_a_connection_that_is_surely_newer_stays(virtually, seconds, is_enabled, leaves) -> None:
    async def story(places: Places, life: Life) -> None:
        newer = places.connection("new", made=timedelta(seconds=LATER + seconds), is_enabled=is_enabled)
        since = newer.date - timedelta(seconds=seconds)
        await life.connects(newer)
        assert await life.connections.leave(PERSON, since=since) is leaves
        assert (await places.kept()).left is leaves

    run(virtually, story)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_machine_with_a_wrong_clock_knows_which_came_first(virtually, ahead) -> None:
    async def story(places: Places, life: Life) -> None:
        departure = PersonsDeparture(life.connections, lambda: ahead, PERSON)
        made = (await places.kept()).date
        assert not await departure.leave(made + ahead - timedelta(seconds=LATER))
        assert await departure.leave(made + ahead + timedelta(seconds=LATER))

    run(virtually, story)
