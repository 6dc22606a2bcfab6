"""A backup is put back, and Telegram shows the bot no chat: nothing from before is answered again, at any price."""

import asyncio
from datetime import timedelta

import pytest

from edge.userbot.driving.ports import REMEMBERED
from edge.userbot.rules import Rules
from events.runtime.retrying import Retrying
from tests.crashes.backups import Copying, make_late, put_back
from tests.crashes.business import Life, Variant, world
from tests.crashes.places import Places
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.stories import MOST_EFFECTS, Scenario, World, comes_true, in_virtual_time, rests, talk
from tests.fuses import Fuse

AGO = REMEMBERED + timedelta(seconds=10)
"""So long ago everything was written: of what is younger, Telegram recognises a repeat."""
FORGETFUL = Variant(folds=False, echoes=False, remembers=False)


@pytest.mark.parametrize("name", ["an answer in several parts", "a live failure"])
def test_a_backup_of_any_moment_that_is_put_back_answers_nothing_twice(name) -> None:
    scenario = SCENARIOS[name]
    for at in range(1, MOST_EFFECTS):
        if not in_virtual_time(lambda retrying, at=at: is_put_back(scenario, at, retrying)):
            assert at > 20
            return
    pytest.fail("the scenario has no end")


async def is_put_back(scenario: Scenario, at: int, retrying: Retrying) -> bool:
    """The scenario, then a backup from before its effect number `at`; False: it has fewer.

    What is asked until the backup is put back gets no answer either; then all goes on.
    """
    telegram, told = world(scenario, retrying, FORGETFUL)
    places = told.places
    for chat in places.chats:
        chat.ago = AGO
    await told.open()
    fuse = Copying(at, False, places=places)
    await lives(told, scenario, fuse)
    if fuse.copy is None:
        return False
    after, said = fuse.copy, [list(chat.texts) for chat in places.chats]
    for chat in places.chats:
        await make_late(after, chat)
        chat.user_says("Тимоха, мимо")
    await retrying.clock.sleep(AGO)
    put_back(after)
    await goes_on(Life(telegram, after, Rules(), Fuse(0, False)), after)
    for chat, before in zip(places.chats, said, strict=True):
        assert chat.texts[: len(before)] == before, f"{at}: {fuse.journal[at - 1]}"
        new = [text[:40] for text, _ in chat.texts[len(before) :]]
        assert (len(new), new[-1]) == (2, "другой ответ на ещё"), f"{at}: {fuse.journal[at - 1]}: {new}"
    return True


async def lives(told: World, scenario: Scenario, fuse: Fuse) -> None:
    """One life, in which everything is answered."""
    places = told.places
    worker = asyncio.create_task(places.work())
    life = told.life(fuse)
    await life.start()
    for chat in places.chats:
        told.begin(chat)
    talks = [asyncio.create_task(talk(scenario, places, chat)) for chat in places.chats]
    try:
        async with asyncio.timeout(60):
            await comes_true(scenario, places, talks)
    finally:
        for task in (worker, *talks):
            task.cancel()
        await life.stop()


async def goes_on(life: Life, places: Places) -> None:
    """Another life, up to its answer to a question that is asked once it runs."""
    worker = asyncio.create_task(places.work())
    await life.start()
    try:
        async with asyncio.timeout(60):
            await asyncio.sleep(5)
            for chat in places.chats:
                chat.ago = timedelta(0)
                chat.user_says("Тимоха, ещё")
            for chat in places.chats:
                while "другой ответ на ещё" not in chat.replies:  # noqa: ASYNC110 - a list has no event
                    await asyncio.sleep(0.01)
                while not rests(await places.record(chat)):  # noqa: ASYNC110 - records have no event
                    await asyncio.sleep(0.01)
    finally:
        worker.cancel()
        await life.stop()
