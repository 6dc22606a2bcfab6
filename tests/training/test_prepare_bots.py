"""Bots are told from people by what only they do, and nobody else is taken for one."""

from io import StringIO

import pytest
from rich.console import Console

from training.data.bots import BotSign, find_bots, looks_like_a_bot
from training.data.command import prepare
from training.data.owner import Speaker
from training.settings import PrepareSettings


@pytest.mark.parametrize(
    "name", ["Quiz Bot", "QuizBot", "quiz bot", "quiz_bot", "Bot", "Бот", "МойБот", "Игробот Бот 🤖"]
)
def test_a_name_that_ends_in_bot_as_a_word_is_a_bots(name):
    assert looks_like_a_bot(name)


@pytest.mark.parametrize("name", ["Jean Talbot", "Abbot", "Талбот", "робот", "TALBOT", "Bothwell", "Bot Smith", ""])
def test_a_name_that_only_sounds_so_is_a_persons(name):
    assert not looks_like_a_bot(name)


def signs(*speakers, people=(), named=()):
    return find_bots({speaker.id: speaker for speaker in speakers}, people, named)


def test_a_bot_is_known_by_its_chat_its_buttons_its_name_or_the_setting():
    assert signs(
        Speaker("user1", "Погода", 9, chats={"bot_chat", "private_group"}),
        Speaker("user2", "Rose", 20, buttons=2, chats={"private_group"}),
        Speaker("user3", "Quiz Bot", 5, chats={"private_group"}),
        Speaker("user4", "Хелпер", 5, chats={"private_group"}),
        Speaker("user5", "Ann", 50, buttons=2, chats={"private_group"}),
        Speaker("user6", "Bob", 1, buttons=1, chats={"private_group"}),
        named={"4"},
    ) == {"user1": BotSign.CHAT, "user2": BotSign.BUTTONS, "user3": BotSign.NAME, "user4": BotSign.SETTING}


def test_whom_the_account_has_a_chat_with_is_a_person_whatever_the_name():
    assert signs(Speaker("user1", "Jan Bot", 5, buttons=5, chats={"personal_chat", "private_group"})) == {}


def test_the_owner_is_never_a_bot_and_neither_is_who_is_said_to_be_none():
    bot = Speaker("user1", "Bot", 5, chats={"private_group"})
    assert signs(bot, people={"user1"}) == {}
    assert signs(bot, named={"!user1"}) == signs(bot, named={"!Bot"}) == signs(bot, named={"!1"}) == {}


def test_what_bots_say_is_dropped_counted_and_said(export, tmp_path):
    export.say("ann", "что за погода?")
    for number in range(2):
        export.say("rose", f"+{number}", inline_bot_buttons=[[{"type": "callback", "text": "ещё"}]])
    export.say("bob", "гифка", via_bot="@gif", inline_bot_buttons=[[{"type": "url"}]])
    export.say("quiz", "вопрос!", forwarded_from="Ann", **{"from": "Quiz Bot"})
    export.say("talbot", "холодно", **{"from": "Jean Talbot"})
    (tmp_path / "result.json").write_text(export.text(type="private_group"))
    said = StringIO()
    settings = PrepareSettings(export=tmp_path / "result.json", owner="Jean Talbot", out=tmp_path / "data")
    manifest = prepare(settings, console=Console(file=said, width=200))
    assert manifest.bots == {"buttons": 1, "name": 1}
    assert manifest.dropped == {"bot": 3, "via_bot": 1}
    assert "Rose (user_rose, 2 messages), Quiz Bot (user_quiz, 1 messages)" in said.getvalue()
    assert "Talbot" not in said.getvalue()


def test_a_bots_name_is_shown_as_it_is(export, tmp_path):
    name = "[/b] [red]x :smile: Quiz Bot"
    export.say("ann", "что за погода?")
    export.say("quiz", "вопрос!", **{"from": name})
    export.say("me", "холодно")
    (tmp_path / "result.json").write_text(export.text(type="private_group"))
    said = StringIO()
    settings = PrepareSettings(export=tmp_path / "result.json", owner="user_me", out=tmp_path / "data")
    prepare(settings, console=Console(file=said, width=40))
    assert f"Considered bots: {name} (" in said.getvalue()
