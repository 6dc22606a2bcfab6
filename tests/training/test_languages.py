"""What the owner writes in is recognised, and placeholders are words of it."""

import pytest

from events.errors import SettingsError
from training.data.languages import recognise_language, recognise_languages
from training.data.placeholders import PlaceholderKind, placeholder, replace_signs

RUSSIAN = [
    "ты сегодня придёшь вечером? я купила пирог и жду тебя дома",
    "приду, только сначала зайду к бабушке, она просила помочь с компьютером",
    "хорошо, тогда захвати по дороге молоко, а то у нас совсем закончилось",
    "захвачу, не переживай, и хлеба возьму, какой ты любишь",
]
ENGLISH = [
    "are you coming over tonight? I baked a pie and I am waiting at home",
    "I will, but first I have to see my grandmother, she needs help with her computer",
    "great, then please bring some milk on your way, we have run out of it",
    "sure, don't worry, I will get the bread that you like as well",
]
NORWEGIAN = [
    "kommer du hit i kveld? jeg har bakt en kake og sitter og venter hjemme",
    "ja, men først må jeg innom bestemor, hun trenger hjelp med datamaskinen sin",
    "flott, ta med litt melk på veien, vi har nesten ikke mer igjen hjemme",
    "det skal jeg gjøre, og jeg kjøper også det brødet som du liker så godt",
]


def talk(export, lines, who=("ann", "me"), **fields):
    for number, line in enumerate(lines):
        export.say(who[number % 2], line, **fields)


def contents(dialogue):
    return [message["content"] for message in dialogue["messages"]]


def with_private_data(export, lines):
    talk(export, lines * 2)
    photo = export.say("ann", "", photo="x")
    export.say("me", "https://a.org +12025550123", reply_to_message_id=photo)
    export.say("me", "https://a.org !!! and more", after=999, reply_to_message_id=photo)


@pytest.mark.parametrize(
    ("lines", "language", "words"),
    [
        (RUSSIAN, "ru", ("Собеседник 1", "[фото]", "[ссылка] !!! and more")),
        (ENGLISH, "en", ("Person 1", "[photo]", "[link] !!! and more")),
        (NORWEGIAN, "no", ("Person 1", "[photo]", "[link] !!! and more")),
    ],
)
def test_place_holders_are_in_the_language_of_the_owner(export, run_prepare, lines, language, words):
    with_private_data(export, lines)
    manifest, parts = run_prepare(export.chat())
    assert list(manifest["languages"]) == [language]
    assert (parts["train"][-1]["messages"][0]["name"], *contents(parts["train"][-1])) == words
    assert manifest["dropped"]["only_placeholders"] == 1
    assert manifest["private_data_replaced"] == {"link": 2, "phone": 1}


def test_each_chat_has_the_language_that_the_owner_writes_in_it(export, run_prepare):
    with_private_data(export, RUSSIAN * 2)
    russian = export.chat()
    export.items = []
    with_private_data(export, ENGLISH)
    manifest, parts = run_prepare({"chats": {"list": [russian, export.chat(id=2)]}})
    shown = [contents(one)[0] for one in parts["train"] if "more" in contents(one)[-1]]
    assert shown == ["[фото]", "[photo]"]
    assert list(manifest["languages"]) == ["ru", "en"]
    assert sum(manifest["languages"].values()) == pytest.approx(1)


def test_the_language_is_the_owners_and_not_the_others(export, run_prepare):
    for number in range(4):
        export.say("ann", RUSSIAN[number])
        export.say("me", ENGLISH[number])
    manifest, _ = run_prepare(export.chat())
    assert list(manifest["languages"]) == ["en"]


def test_too_few_words_to_tell_are_russian_if_their_letters_are_and_else_nothing_is_said(export, run_prepare):
    export.say("ann", "привет")
    export.say("me", "привет https://a.org")
    manifest, parts = run_prepare(export.chat())
    assert (manifest["languages"], contents(parts["train"][0])[1]) == ({"ru": 1.0}, "привет [ссылка]")
    export.items = []
    export.say("ann", "hi")
    export.say("me", "hi https://a.org")
    manifest, parts = run_prepare(export.chat())
    assert (manifest["languages"], contents(parts["train"][0])[1]) == ({}, "hi [link]")


def test_a_language_that_hardly_shows_is_a_mistake_of_the_recognition():
    found = recognise_languages(
        [(1, " ".join(RUSSIAN) * 40), (2, " ".join(RUSSIAN) * 40), (3, NORWEGIAN[0] + NORWEGIAN[1])] * 2
    )
    assert set(found.shares) >= {"ru"}
    found = recognise_languages([*((1, line) for line in RUSSIAN * 100), (2, NORWEGIAN[0]), (2, NORWEGIAN[1])])
    assert (found.shares, found.in_chat(2)) == ({"ru": 1.0}, "ru")


def test_the_languages_are_those_of_two_letters():
    assert recognise_language(
        "abeg how far na, wetin dey happen for your side today? I no sabi wetin you dey talk o, make we see"
    ) in (
        None,
        "en",
    )


def test_what_somebody_wrote_never_passes_for_a_place_holder(export, run_prepare):
    sign = placeholder(PlaceholderKind.LINK)
    export.say("ann", f"see {sign}")
    export.say("me", f"that is {sign} and {{'x': 1}}", text_entities=[{"type": "plain", "text": sign}])
    manifest, parts = run_prepare(export.chat())
    assert contents(parts["train"][0]) == ["see []", "that is [] and {'x': 1}"]
    assert manifest["private_data_replaced"] == {}


@pytest.mark.parametrize("kind", list(PlaceholderKind))
def test_every_kind_has_a_word_in_each_language(kind):
    words = {replace_signs(placeholder(kind, "😹"), language) for language in ("ru", "en", "de", None)}
    assert len(words) == 2
    assert all(word.startswith("[") and word.endswith(" 😹]") and word[1:-1].isprintable() for word in words)


def test_phones_are_recognised_as_they_are_written_where_the_language_is_spoken(export, run_prepare):
    talk(export, ENGLISH)
    export.say("ann", "what is your number?")
    export.say("me", "415-555-2671, or at work 020 7946 0958")
    _, parts = run_prepare(export.chat())
    assert contents(parts["train"][-1])[-1] == "[phone], or at work [phone]"
    export.say("me", "in Ireland it is 085 012 3456", reply_to_message_id=5)
    _, parts = run_prepare(export.chat(), countries="ie")
    assert contents(parts["train"][-1])[-1] == "in Ireland it is [phone]"
    with pytest.raises(SettingsError, match="TRAINING_COUNTRIES: unknown: XX; it takes codes such as IE,AU"):
        run_prepare(export.chat(), countries="IE, xx")
