"""A backup of the store, of any moment, is put back when everything has been answered: nothing is answered again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.userbot import phrases
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.rules import Rules
from events.runtime.retrying import Retrying
from events.schema import Role, Turn
from tests.crashes.backups import Copying, make_late, put_back
from tests.crashes.places import Places
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.stories import MOST_EFFECTS, comes_true, in_virtual_time, talk
from tests.crashes.userbot import ACCOUNT, CHAT, Life, Telegram, open_places
from tests.fuses import Fuse

AGO = timedelta(seconds=10)
"""So long ago everything was written: what is younger than two seconds counts as live."""
DELETING = {name for name in SCENARIOS if {"deletion", "deleted", "forgotten"} & set(name.split())}
TAKEN_OVER = {name for name in SCENARIOS if "owner" in name}
"""What the owner wrote before the backup was restored is not known to be the owner's."""


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in DELETING | TAKEN_OVER])
def test_a_backup_of_any_moment_that_is_put_back_answers_nothing_twice(name) -> None:
    for at in range(1, MOST_EFFECTS):
        if not in_virtual_time(lambda retrying, at=at: is_put_back(name, at, retrying)):
            assert at > 4
            return
    pytest.fail("the scenario has no end")


async def is_put_back(name: str, at: int, retrying: Retrying) -> bool:
    """The scenario, then a backup from before its effect number `at`, and one more question; False: it has fewer."""
    scenario = SCENARIOS[name]
    telegram = Telegram(False, retrying.clock.now, AGO)
    telegram.chat.takes_drafts = scenario.drafts[0]
    places = Places(scenario.answer, [telegram.chat], retrying)
    await open_places(places)
    fuse = Copying(at, False, places=places)
    await lives(telegram, places, fuse, name)
    after, chat, said = fuse.copy, telegram.chat, list(telegram.chat.texts)
    if after is None:
        return False
    if scenario.rules.live:
        await make_late(after, chat)
    put_back(after)
    chat.user_says("Тимоха, ещё")
    rules = scenario.rules
    await answers(telegram, after, Rules(live=rules.live, when_busy=rules.when_busy, triggers=rules.triggers))
    assert chat.texts[: len(said)] == said, f"{at}: {fuse.journal[at - 1]}"
    new = chat.texts[len(said) :]
    assert len(new) == (1 if scenario.rules.live else 2), f"{at}: {fuse.journal[at - 1]}: {new}"
    return True


async def answers(telegram: Telegram, places: Places, rules: Rules) -> None:
    """Another life, up to its answer to the last question."""
    chat = telegram.chat
    worker = asyncio.create_task(places.work())
    life = Life(telegram, places, rules, Fuse(0, False))
    await life.start()
    try:
        async with asyncio.timeout(60):
            while "другой ответ на ещё" not in chat.replies:  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0.01)
            while (await places.record(chat)).current:  # noqa: ASYNC110 - records have no event
                await asyncio.sleep(0.01)
    finally:
        worker.cancel()
        await life.stop()


async def lives(telegram: Telegram, places: Places, fuse: Fuse, name: str) -> None:
    """One life, in which everything is answered."""
    scenario = SCENARIOS[name]
    worker = asyncio.create_task(places.work())
    life = Life(telegram, places, scenario.rules, fuse)
    await life.start()
    talking = asyncio.create_task(talk(scenario, places, telegram.chat))
    try:
        async with asyncio.timeout(60):
            await comes_true(scenario, places, [talking])
    finally:
        worker.cancel()
        talking.cancel()
        await life.stop()


def incoming(text: str, **more: Any) -> Incoming:
    return Incoming(ACCOUNT, CHAT, 7, text, "ru", datetime.now(UTC) - timedelta(days=1), **more)


def test_what_was_deleted_after_the_backup_is_deleted_however_long_ago_that_was() -> None:
    record = ChatRecord(history=(Turn(role=Role.USER, text="тайна"),))
    received = receive(record, incoming("/delete_history", before_restore=True), Rules(), datetime.now(UTC))
    assert (received.record.history, received.record.erasing, received.record.notices) == ((), True, ())
    assert receive(record, incoming("/delete_history"), Rules(), datetime.now(UTC)).effect is Effect.TOO_OLD


@pytest.mark.parametrize(
    ("text", "context_length"), [("/set_context_length 7", 7), ("/help", 2), ("Тимоха, раз", 2), ("Тимоха,", 2)]
)
def test_what_the_chat_shows_to_be_answered_gets_no_answer_but_what_it_sets_is_set(text, context_length) -> None:
    message = Incoming(ACCOUNT, CHAT, 7, text, "ru", datetime.now(UTC), before_restore=True, answered=True)
    received = receive(ChatRecord(), message, Rules(), datetime.now(UTC))
    assert received.effect is Effect.ANSWERED_BEFORE
    assert (received.record.current, received.record.notices, received.record.seen) == (None, (), (7,))
    assert received.record.settings.context_length == context_length


def test_every_thinking_line_is_known() -> None:
    for locale in ("ru", "en"):
        assert {phrases.thinking(locale, str(number)) for number in range(200)} <= phrases.thinking_lines()
