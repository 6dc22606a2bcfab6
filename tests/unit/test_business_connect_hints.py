"""Whoever writes to the bot without a connection is told how to make one: once a day, and never at others' cost."""

import asyncio
from datetime import timedelta

import pytest

from edge.business.connect_hints import MAX_QUEUED
from edge.business.phrases import how_to_connect
from edge.userbot.driving.messenger import FloodWaited, Undeliverable
from tests.unit.business_places import PERSON, Life, Places
from tests.unit.test_business_leaving import run

STRANGER = "77"


async def begin(places: Places) -> Life:
    life = Life(places)
    await life.begin(replies=False)
    return life


def test_a_stranger_is_told_once_a_day_in_their_language(virtually) -> None:
    async def story(places: Places) -> None:
        life = await begin(places)
        for number, text in enumerate(("/start", "bot, a question", "/disconnect"), 1):
            await life.tells_the_bot(text, number, person=STRANGER, locale="ru-RU")
        await asyncio.sleep(60)
        assert places.telegram.said_to(STRANGER) == [how_to_connect("ru", "en", has_left=False)]
        await life.tells_the_bot("hello", 4, person="78", locale="fr")
        await asyncio.sleep(timedelta(days=1).total_seconds())
        await life.tells_the_bot("hello", 5, person=STRANGER, locale="ru")
        await asyncio.sleep(60)
        assert len(places.telegram.said_to(STRANGER)) == 2
        assert places.telegram.said_to("78") == [how_to_connect("en", "en", has_left=False)]
        assert places.bucket._records == {}
        assert (await places.stored())["records"] == []
        await life.die()

    run(virtually, story)


def test_a_message_that_is_fetched_again_after_a_restart_is_answered_with_the_same_random_id(virtually) -> None:
    async def story(places: Places) -> None:
        for _ in range(2):
            life = await begin(places)
            await life.tells_the_bot("/start", 1, person=STRANGER)
            await asyncio.sleep(10)
            await life.die()
        assert len(places.telegram.said_to(STRANGER)) == 1

    run(virtually, story)


def test_a_flood_of_strangers_costs_no_more_than_a_line_a_second_and_never_waits(virtually) -> None:
    async def story(places: Places) -> None:
        life = await begin(places)
        began = places.now
        for number in range(3 * MAX_QUEUED):
            await life.tells_the_bot("/start", number, person=f"{number + 1000}")
        assert places.now - began < timedelta(seconds=1)
        await asyncio.sleep(50)
        assert 40 <= len(places.telegram.texts) <= 52
        await asyncio.sleep(10 * MAX_QUEUED)
        assert len(places.telegram.texts) <= MAX_QUEUED + 1
        await life.die()

    run(virtually, story)


@pytest.mark.parametrize("error", [FloodWaited(timedelta(minutes=5)), Undeliverable("USER_IS_BLOCKED")])
def test_a_refused_line_harms_nobody_and_may_be_tried_again(virtually, error) -> None:
    async def story(places: Places) -> None:
        life = await begin(places)

        def refuse(chat: str, text: str) -> None:
            if chat == STRANGER:
                raise error

        places.telegram.before_send = refuse
        await life.tells_the_bot("/start", 1, person=STRANGER)
        await life.tells_the_bot("/start", 2, person="78")
        await asyncio.sleep(3600)
        assert len(places.telegram.said_to("78")) == 1
        places.telegram.before_send = lambda chat, text: None
        await life.tells_the_bot("/start", 3, person=STRANGER)
        await asyncio.sleep(10)
        assert len(places.telegram.said_to(STRANGER)) == 1
        await life.die()

    run(virtually, story)


def test_who_is_connected_is_told_nothing(virtually) -> None:
    async def story(places: Places) -> None:
        life = await begin(places)
        await life.connects(places.connection("c"))
        await life.tells_the_bot("just a note", 1)
        await asyncio.sleep(60)
        assert places.telegram.said_to(PERSON) == []
        await life.die()

    run(virtually, story)


def test_the_texts_are_no_commands_and_differ_by_language() -> None:
    texts = [how_to_connect(locale, "en", has_left=left) for locale in ("ru", "en") for left in (False, True)]
    assert len(set(texts)) == 4
    assert not any(text.startswith(("/", "+", "-")) or "\n" in text for text in texts)
