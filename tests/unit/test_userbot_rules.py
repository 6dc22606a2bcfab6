"""The owner's rules, and what is set for one person."""

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
