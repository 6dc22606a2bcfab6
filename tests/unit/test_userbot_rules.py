"""The owner's rules, and what is set for one person."""

from datetime import UTC, datetime

from edge.userbot import phrases
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.transitions import Effect
from edge.userbot.people import Person
from edge.userbot.rules import Override, Rules

ANNA = Person(id="7", usernames=frozenset({"anna"}))


def test_what_is_set_for_a_person_replaces_what_counts_for_everyone_and_nothing_else() -> None:
    rules = Rules(prefix="Тимоха,", live=True, overrides={"@anna": Override(prefix="бот", live=False)})
    for_anna = rules.for_person(ANNA)
    assert (for_anna.prefix, for_anna.live, for_anna.locale) == ("бот", False, rules.locale)
    assert rules.for_person(Person(id="8", usernames=frozenset({"boris"}))) is rules


def test_an_id_wins_over_a_username_where_both_are_set() -> None:
    by_name = Override(prefix="бот", persona="a friend", max_new_tokens=20)
    rules = Rules(overrides={"@anna": by_name, "7": Override(prefix="эй")}).for_person(ANNA)
    assert (rules.prefix, rules.persona, rules.max_new_tokens) == ("эй", "a friend", 20)


def test_a_username_is_no_id_and_an_id_is_no_username() -> None:
    rules = Rules(overrides={"@7": Override(live=True), "anna": Override(live=True)})
    assert not rules.for_person(ANNA).live


def test_nobody_known_has_nothing_of_their_own() -> None:
    assert not Rules(overrides={"": Override(live=True)}).for_person(Person()).live


def written(text: str, chat: str, sender: Person) -> Incoming:
    return Incoming("1", chat, 7, text, "ru", datetime.now(UTC), sender=sender)


async def test_a_question_is_taken_by_the_rules_of_its_sender(places) -> None:
    for_anna = Override(prefix="бот", only_locale="en", live=True, persona="a friend", max_new_tokens=9)
    edge = places.edge(overrides={"@anna": for_anna})
    assert await edge.intake.receive(written("Тимоха, раз", "2", ANNA)) is Effect.SILENT
    assert await edge.intake.receive(written("бот раз", "3", Person(id="8"))) is Effect.SILENT
    assert await edge.intake.receive(written("бот раз", "2", ANNA)) is Effect.ASKED
    current = (await edge.ports.chats.load("2")).current
    assert current is not None
    asked = current.question
    assert (asked.text, asked.locale, asked.live) == ("раз", "en", True)
    assert (asked.persona, asked.max_new_tokens) == ("a friend", 9)


async def test_a_persons_answers_may_need_approval_whatever_those_of_others_do(places) -> None:
    edge = places.edge(overrides={"@anna": Override(approve="all")})
    assert await edge.intake.receive(written("Тимоха, раз", "2", ANNA)) is Effect.ASKED
    assert await edge.intake.receive(written("Тимоха, раз", "3", Person(id="8"))) is Effect.ASKED
    asked = [(await edge.ports.chats.load(chat)).current for chat in ("2", "3")]
    assert [current.question.approve for current in asked if current] == [True, False]


async def test_the_owners_own_question_to_a_bot_needs_no_approval(places) -> None:
    edge = places.edge(approve="all")
    assert await edge.intake.receive(written("Тимоха, раз", "2", Person(id=edge.ports.owner_chat))) is Effect.ASKED
    current = (await edge.ports.chats.load("2")).current
    assert current
    assert not current.question.approve


async def test_a_person_is_answered_in_the_language_that_is_set_for_them_whatever_theirs_is(places) -> None:
    edge = places.edge(overrides={"7": Override(only_locale="en", prefix="бот")})
    assert await edge.intake.receive(written("бот", "2", ANNA)) is Effect.HINTED
    await places.telegram.count(1)
    assert places.telegram.texts == [(phrases.hint("en", "бот"), 7)]


async def test_a_message_is_taken_by_the_rules_of_its_moment(places) -> None:
    edge = places.edge(prefix="раз")
    edge.rules = Rules(prefix="два")
    assert await edge.intake.receive(written("раз привет", "2", ANNA)) is Effect.SILENT
    assert await edge.intake.receive(written("два привет", "2", ANNA)) is Effect.ASKED
