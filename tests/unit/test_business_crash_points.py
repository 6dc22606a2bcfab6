"""The edge of business connections dies around every single thing that it does; the next start makes it good.

Two persons are connected, and both are asked at the same time. Telegram shows the bot no chat: whether a message was
sent is known by its random id, and by updates if Telegram sends the bot its own messages.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from edge.business import phrases
from edge.business.reasons import Reason
from edge.userbot import draft_phrases
from edge.userbot.formatting.messages import split
from edge.userbot.rules import Rules
from events.runtime.retrying import Retrying
from tests.crashes.business import Telegram, Variant, world
from tests.crashes.chat import FIRST_OWN, Chat
from tests.crashes.scenarios import LONG, SCENARIOS
from tests.crashes.stories import Scenario, World, tell_with_every_death

VARIANTS = {
    "folds": Variant(folds=True, echoes=False),
    "folds and echoes": Variant(folds=True, echoes=True),
    "refuses repeats": Variant(folds=False, echoes=False),
    "refuses repeats and echoes": Variant(folds=False, echoes=True),
    "forgets and echoes": Variant(folds=False, echoes=True, remembers=False),
}
EACH_TIME = {
    "an answer in several parts": {"folds", "refuses repeats", "forgets and echoes"},
    "a failure": set(),
    "a live answer in several parts": {"refuses repeats"},
    "questions that wait for each other": {"refuses repeats and echoes"},
    "an owner who takes over": {"folds", "refuses repeats and echoes"},
    "a deletion while a question is being answered": {"folds"},
    "a burst": set(),
    "a burst with an edit and something taken back, which the prefix ends": {"folds"},
    "a burst while the chat is busy, and a sign": set(),
}
"""What runs each time: the rest of them is slow."""
STORIES = [
    pytest.param(name, variant, id=f"{name}, {variant}", marks=() if variant in often else pytest.mark.slow)
    for name, often in EACH_TIME.items()
    for variant in VARIANTS
]
UNKNOWN_IDS = {
    "a live answer in several parts": lambda chat, record: chat.replies == split(LONG) and chat.thoughts <= 1,
    "an owner who takes over": lambda chat, record: chat.replies == ["сам отвечу"] and chat.thoughts <= 1,
    "a burst": lambda chat, record: chat.replies == ["ответ на привет\nты где?"] and chat.texts[0][1] == 2,
}
"""What holds if the id of a message is never known: the thinking line may stay."""


def scenario_of(name: str, variant: Variant) -> Scenario:
    scenario = SCENARIOS[name]
    return scenario if variant.tells_ids else replace(scenario, holds=UNKNOWN_IDS.get(name, scenario.holds))


@pytest.mark.parametrize(("name", "variant"), STORIES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_edge_that_dies_around_anything_it_does_leaves_what_the_next_one_finishes(name, variant, after) -> None:
    told = VARIANTS[variant]
    scenario = scenario_of(name, told)
    fuses = tell_with_every_death(lambda retrying: world(scenario, retrying, told)[1], scenario, after=after)
    assert len(fuses) > 20


def test_a_person_whose_messages_pause_nothing_needs_no_random_ids_either() -> None:
    told = VARIANTS["forgets and echoes"]
    scenario = replace(SCENARIOS["an answer in several parts"], rules=Rules(owner_pause=timedelta(0)))
    assert len(tell_with_every_death(lambda retrying: world(scenario, retrying, told)[1], scenario, after=True)) > 20


APPROVED = Scenario(
    ("Тимоха, раз",),
    lambda chat, record: [text for text, _ in chat.texts] == ["ответ на раз"] and len(record.history) == 2,
    rules=Rules(approve="all"),
)


@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before", "after"])
def test_a_person_who_approves_in_the_chat_with_the_bot_sees_each_draft_once_wherever_the_edge_dies(after) -> None:
    telegrams: list[Telegram] = []

    def make(retrying: Retrying) -> World:
        telegram, told = world(APPROVED, retrying, VARIANTS["folds"])
        telegrams.append(telegram)
        return replace(told, meanwhile=lambda chat: approves(telegram, chat))

    fuses = tell_with_every_death(make, APPROVED, after=after)
    assert len(fuses) > 40
    for telegram, fuse in zip(telegrams, fuses, strict=True):
        for notes in telegram.notes.values():
            drafts = [at for at, (text, _) in enumerate(notes.texts) if text.endswith(HOW)]
            assert len(drafts) == 1, fuse.journal
            assert notes.deleted == {FIRST_OWN + drafts[0]}, fuse.journal
            assert len(notes.texts) == 2, "it is answered that the answer was sent"


HOW = draft_phrases.how_to_decide("ru")


async def approves(telegram: Telegram, chat: Chat) -> None:
    notes = telegram.notes[chat.account]
    while not any(text.endswith(HOW) for text, _ in notes.texts):  # noqa: ASYNC110 - a list has no event
        await asyncio.sleep(0.01)
    telegram.person_writes_to_the_bot(chat.account, "+", FIRST_OWN)


REFUSED = Scenario(("Тимоха, раз",), lambda chat, record: chat.texts == [])


def test_a_person_is_told_once_why_telegram_refuses_answers_wherever_the_edge_dies() -> None:
    telegrams: list[Telegram] = []

    def make(retrying: Retrying) -> World:
        telegram, told = world(REFUSED, retrying, VARIANTS["folds"])
        telegram.refuses = "BUSINESS_PEER_USAGE_MISSING"
        telegrams.append(telegram)
        return told

    fuses = tell_with_every_death(make, REFUSED, after=True)
    assert len(fuses) > 30
    line = phrases.refusal("ru", Reason.TOO_LATE)
    for telegram, fuse in zip(telegrams, fuses, strict=True):
        for notes in telegram.notes.values():
            assert [text for text, _ in notes.texts] == [line], fuse.journal


def test_an_answer_goes_on_through_the_next_connection_wherever_the_edge_dies() -> None:
    scenario = SCENARIOS["an answer in several parts"]

    def make(retrying: Retrying) -> World:
        telegram, told = world(scenario, retrying, VARIANTS["folds"])

        def renews(chat: Chat) -> None:
            if telegram.connected[chat.account] == 1:
                telegram.renews(chat.account)

        async def tells(chat: Chat) -> None:
            while telegram.connected[chat.account] == 1:  # noqa: ASYNC110 - a number has no event
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            telegram.tells_of_connection(chat.account)

        telegram.sent = renews
        return replace(told, meanwhile=tells)

    fuses = tell_with_every_death(make, scenario, after=True)
    assert fuses[-1].journal.count("Telegram.send") > 6, "none went through the connection before"
