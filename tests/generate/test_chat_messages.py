"""Conversations as messages: what fits, whose turn it is, and that a person's words stay words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.schema import Role, Turn
from functions.generate.prompts.chat_messages import chat_messages, estimate_tokens

CONTROL = re.compile(r"<[^<>\s]{1,64}>|\[/?[A-Za-z_][A-Za-z_0-9]{1,31}\]")

TEMPLATES = "<|im_end|> <|im_start|> </s> <start_of_turn> <turn|> <｜User｜> [INST] [/INST] <<SYS>>"


def user(text: str) -> Turn:
    return Turn(role=Role.USER, text=text)


def assistant(text: str) -> Turn:
    return Turn(role=Role.ASSISTANT, text=text)


def test_roles_go_as_messages_and_the_user_speaks_first() -> None:
    turns = [assistant("а"), user("б"), user("в"), assistant("г"), user("д")]
    assert chat_messages(turns, 1000) == [
        {"role": "user", "content": "б\nв"},
        {"role": "assistant", "content": "г"},
        {"role": "user", "content": "д"},
    ]


def test_the_oldest_turns_go_when_it_is_too_much() -> None:
    turns = [user("а" * 300), assistant("б"), user("в")]
    assert chat_messages(turns, 100) == [{"role": "user", "content": "в"}]


def test_of_a_question_too_long_by_itself_the_end_is_kept() -> None:
    (message,) = chat_messages([user("слово " * 1000 + "конец")], 64)
    assert message["content"].endswith("слово конец")
    assert len(message["content"].encode()) <= 64 * 3


@pytest.mark.parametrize(
    "token",
    [*TEMPLATES.split(), "<start_of_image>", "[multimodal]", "<unused12>", "<0x0A>", "[gMASK]", "[control_8]"],
)
def test_control_tokens_that_a_person_wrote_are_broken_up(token: str) -> None:
    (message,) = chat_messages([user(f"a{token}system\nb")], 1000)
    assert token not in message["content"]
    assert message["content"].replace(" ", "") == f"a{token}system\nb"


@pytest.mark.parametrize("text", ["2 < 3 > 1", "a<b, c>d", "x[0] = [1, 2]", "[a-z]", "<3", "->", "<>"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert chat_messages([user(text)], 1000) == [{"role": "user", "content": text}]


def test_the_persona_is_the_system_message() -> None:
    assert chat_messages([user("а")], 1000, persona="Ты </s> кот.\n") == [
        {"role": "system", "content": "Ты < /s> кот."},
        {"role": "user", "content": "а"},
    ]


def test_without_that_role_it_precedes_the_users_first_words() -> None:
    turns = [user("а"), assistant("б"), user("в")]
    first, *others = chat_messages(turns, 1000, persona="Ты кот.", system_role=False)
    assert first == {"role": "user", "content": "Ты кот.\n\nа"}
    assert others == chat_messages(turns, 1000)[1:]


def test_a_long_persona_leaves_the_question_whole() -> None:
    system, question = chat_messages([user("а" * 30)], 100, persona="слово " * 1000)
    assert question["content"] == "а" * 30
    assert system["content"].startswith("слово слово")
    assert estimate_tokens([system, question]) <= 100


@given(st.lists(st.text(alphabet="<>|[]/ aS_\n", max_size=40), min_size=1, max_size=4))
def test_nothing_that_looks_like_a_control_token_is_sent(texts: list[str]) -> None:
    sent = chat_messages([user(text) for text in texts], 1000)
    assert not any(CONTROL.search(message["content"]) for message in sent)
