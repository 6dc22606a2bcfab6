"""What Telegram sends the bot reaches the edge of the person whom it concerns, and no other's."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from edge.business.reasons import Reason
from edge.userbot.chat.incoming import Press
from events.errors import TransportError
from events.faults import UNKNOWN_ATTEMPTS
from events.ids import RequestId
from events.runtime.retrying import Retrying
from events.transport import Channel
from tests.unit.business_places import CHAT, OTHER, PERSON, Life, Places

SOON = timedelta(seconds=1)
QUESTION = "bot, how are you?"
Story = Callable[[Places, Life], Awaitable[None]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Reason]]:
    return []


@pytest.fixture
def live(virtually, told) -> Callable[[Story], None]:
    """`live(story)` runs `story(places, life)` in virtual time."""

    async def tell(person: str, reason: Reason) -> None:
        told.append((person, reason))

    def run(story: Story) -> None:
        async def begin(retrying: Retrying) -> None:
            places = Places(retrying)
            life = Life(places)
            life.receiving._refused = tell
            await life.begin()
            try:
                await story(places, life)
            finally:
                await life.die()

        virtually(begin)

    return run


async def asked(places: Places, person: str, message_id: int) -> bool:
    """Whether a worker was asked."""
    await places.retrying.clock.sleep(SOON)
    request_id = RequestId(person, CHAT, str(message_id))
    return await places.log.find(Channel.REQUESTS, request_id) is not None


async def orders(life: Life, person: str) -> list[str]:
    record = await (await life.edge(person)).ports.chats.load(person)
    return [order.text for order in record.orders]


def test_a_question_to_somebody_who_gives_no_right_to_answer_is_not_asked_and_they_are_told(live, told) -> None:
    async def story(places: Places, life: Life) -> None:
        connection = places.connection("a")
        await life.connects(replace(connection, may_reply=False))
        await life.asks("a", CHAT, 1, QUESTION)
        await life.asks("a", CHAT, 2, "hello")
        assert not await asked(places, PERSON, 1)
        assert told == [(PERSON, Reason.NO_RIGHT)]
        await life.connects(connection)
        await life.asks("a", CHAT, 3, QUESTION)
        assert await asked(places, PERSON, 3)

    live(story)


def test_the_same_partner_of_two_persons_asks_each_of_them_and_orders_nothing(live) -> None:
    async def story(places: Places, life: Life) -> None:
        await life.connects(places.connection("a"))
        await life.connects(replace(places.connection("b"), person=OTHER))
        await life.asks("a", CHAT, 1, "/pause")
        await life.asks("a", CHAT, 2, "+")
        await life.asks("a", CHAT, 3, QUESTION)
        await life.asks("b", CHAT, 3, QUESTION)
        assert await asked(places, PERSON, 3)
        assert await asked(places, OTHER, 3)
        assert (await orders(life, PERSON), await orders(life, OTHER)) == ([], [])
        assert places.telegram.said_to(PERSON) == places.telegram.said_to(OTHER) == []

    live(story)


def test_what_a_person_orders_holds_for_their_own_chats(live) -> None:
    async def story(places: Places, life: Life) -> None:
        await life.connects(places.connection("a"))
        await life.connects(replace(places.connection("b"), person=OTHER))
        await life.tells_the_bot("/pause", 1)
        await places.retrying.clock.sleep(SOON)
        assert places.telegram.said_to(PERSON)
        await life.asks("a", CHAT, 3, QUESTION)
        await life.asks("b", CHAT, 3, QUESTION)
        assert not await asked(places, PERSON, 3)
        assert await asked(places, OTHER, 3)

    live(story)


def test_a_press_by_somebody_else_or_by_nobody_who_is_connected_is_none(live) -> None:
    async def story(places: Places, life: Life) -> None:
        await life.connects(places.connection("a"))
        await life.receiving.receive_press(Press(OTHER, 7, "+"))
        assert OTHER not in life._edges
        await life.connects(replace(places.connection("b"), person=OTHER))
        await life.receiving.receive_press(Press(OTHER, 7, "+"))
        assert (await orders(life, PERSON), await orders(life, OTHER)) == ([], [])

    live(story)


def test_start_is_answered_with_the_help_and_has_told_reasons_told_again(live) -> None:
    async def story(places: Places, life: Life) -> None:
        await life.connects(places.connection("a"))
        await life.connections.tell(PERSON, Reason.OUTSIDE)
        await life.tells_the_bot("/start bizChat2", 1)
        await places.retrying.clock.sleep(SOON)
        [text] = places.telegram.said_to(PERSON)
        assert "/status" in text
        assert life.connections.of(PERSON).told == ()

    live(story)


def test_a_press_waits_for_a_store_that_is_away_and_one_that_can_not_be_taken_in_ends_nothing(
    live, monkeypatch
) -> None:
    async def story(places: Places, life: Life) -> None:
        await life.connects(places.connection("a"))
        failures: list[Exception] = [ValueError("a fault of ours")] * 9 + [TransportError("away")] * 3
        really = life.edge

        async def edge(person: str) -> object:
            if failures:
                raise failures.pop()
            return await really(person)

        monkeypatch.setattr(life, "edge", edge)
        await life.receiving.receive_press(Press(PERSON, 7, "+"))
        assert len(failures) == 9 - UNKNOWN_ATTEMPTS
        failures.clear()
        await life.receiving.receive_press(Press(PERSON, 7, "+"))

    live(story)


def test_an_order_before_the_connection_is_known_is_lost_with_a_line_in_the_log(live) -> None:
    async def story(places: Places, life: Life) -> None:
        for number, text in enumerate(("hello", "/start", "/help", "/pause 2h")):
            await life.tells_the_bot(text, number)

    with structlog.testing.capture_logs() as logs:
        live(story)
    dropped = [line for line in logs if line["event"] == "order.dropped"]
    assert dropped == [{"event": "order.dropped", "log_level": "info", "person": PERSON, "message": 3}]


def test_a_question_after_the_end_of_its_connection_is_silenced_with_a_reason_but_not_after_leaving(live, told) -> None:
    async def story(places: Places, life: Life) -> None:
        connection = places.connection("a")
        await life.connects(connection)
        await life.connects(replace(connection, is_enabled=False))
        await life.asks("a", CHAT, 1, QUESTION)
        await life.asks("a", CHAT, 2, "hello")
        assert not await asked(places, PERSON, 1)
        assert told == [(PERSON, Reason.ENDED)]
        await life.connections.leave(PERSON, since=places.now)
        await life.asks("a", CHAT, 3, QUESTION)
        assert len(told) == 1

    with structlog.testing.capture_logs() as logs:
        live(story)
    assert [line["message"] for line in logs if line.get("effect") == Reason.ENDED] == [1]
