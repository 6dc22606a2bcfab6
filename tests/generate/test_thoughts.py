"""What a model thinks is hidden; what it says about marks is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.schema import Role, Turn
from functions.generate.decoding.answers import partial_answer, tidy_answer
from functions.generate.decoding.thoughts import THOUGHT_MARKS, ThoughtMark, hide_thoughts, open_mark, without_thoughts
from functions.generate.prompts.chat_messages import chat_messages
from functions.generate.prompts.conversation import fit_turns


@pytest.mark.parametrize("mark", THOUGHT_MARKS)
def test_a_thought_of_any_model_is_hidden(mark: ThoughtMark) -> None:
    text = f"{mark.opening}\nЭто тайна.\n{mark.closing}\n\nПривет!"
    assert hide_thoughts(text, whole=True).text == "Привет!"
    assert hide_thoughts(text.removeprefix(mark.opening), thinking=True).text == "Привет!"
    assert hide_thoughts(text.removeprefix(mark.opening), whole=True).text == "Привет!"


@pytest.mark.parametrize("mark", THOUGHT_MARKS)
def test_while_it_thinks_nothing_is_shown_and_no_half_mark_either(mark: ThoughtMark) -> None:
    text = f"{mark.opening}тайна{mark.closing}"
    assert {hide_thoughts(text[:size]).text for size in range(len(text) + 1)} == {""}
    assert hide_thoughts(f"{mark.opening}тайна").thinking
    assert not hide_thoughts(text).thinking


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Привет!", "Привет!"),
        ("<think></think>Да", "Да"),
        ("<think>\n\n</think>\n\nДа", "Да"),
        ("Минуту. <think>тайна</think> Да", "Минуту. Да"),
        ("Минуту.\n\n<think>тайна</think>\n\nДа", "Минуту.\n\nДа"),
        ("<think>а</think>Раз<think>б</think>, два", "Раз, два"),
        ("тайна</think>Да", "Да"),
        ("<think>а <think>б</think> тайна</think>Да", "Да"),
        ("<think>тайна `</think>` тайна</think>Да", "Да"),
        ("<think>тайна ``` тайна</think>Да", "Да"),
        ("<think>тайна</think>```\n<think>\n```", "```\n<think>\n```"),
        ("<think>тайна", ""),
        ("Да <think>тайна", "Да "),
        ("Пиши `<think>`, и всё", "Пиши `<think>`, и всё"),
        ("Пиши `</think>`, и всё", "Пиши `</think>`, и всё"),
        ("Пиши ``a ` <think>``!", "Пиши ``a ` <think>``!"),
        ("Вот:\n```xml\n<think>x</think>\n\n<think>\n```\nвсё", "Вот:\n```xml\n<think>x</think>\n\n<think>\n```\nвсё"),
        ("Вот:\n- ~~~\n  <think>\n\n  ~~~\nвсё", "Вот:\n- ~~~\n  <think>\n\n  ~~~\nвсё"),
        ("Вот:\n```\n<think>\n\nбез конца", "Вот:\n```\n<think>\n\nбез конца"),
        ("Не код: ` и <think>тайна</think>Да", "Не код: ` и Да"),
        ("Не код: `\n\nи <think>тайна`</think>Да", "Не код: `\n\nи Да"),
        (">_<", ">_<"),
        ("x < y [z]", "x < y [z]"),
        ("<think>тайна</think>\n<answer>\nДа\n</answer>", "Да\n"),
        ("<answer>Да</answer>", "<answer>Да</answer>"),
        ("", ""),
    ],
)
def test_thoughts_outside_of_code_are_hidden(written: str, shown: str) -> None:
    assert hide_thoughts(written, whole=True).text == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Да <thi", "Да "),
        ("Да <b", "Да <b"),
        ("Да `<think", "Да `"),
        ("Да `<think> и", "Да `"),
        ("Да `<think>` и", "Да `<think>` и"),
        ("<think>тайна</think><ans", ""),
        ("<think>тайна</think><answer>Да</ans", "Да"),
    ],
)
def test_what_may_become_a_mark_is_held_back(written: str, shown: str) -> None:
    assert hide_thoughts(written).text == shown


@pytest.mark.parametrize(
    ("frame", "closing"),
    [
        ("<|im_start|>assistant\n", None),
        ("<|im_start|>assistant\n<think>\n", "</think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", None),
        ("</think><|assistant|><seed:think>", "</seed:think>"),
    ],
)
def test_a_frame_may_open_a_thought(frame: str, closing: str | None) -> None:
    mark = open_mark(frame)
    assert (mark and mark.closing) == closing


def test_thoughts_in_what_the_assistant_said_are_not_remembered() -> None:
    turns = [
        Turn(role=Role.USER, text="Что такое <think>?"),
        Turn(role=Role.ASSISTANT, text="<think>Тайна, которая не конч"),
        Turn(role=Role.ASSISTANT, text="<think>Тайна</think>\n\nЗнак."),
    ]
    assert without_thoughts(turns) == [turns[0], Turn(role=Role.ASSISTANT, text="Знак.")]


def test_no_prompt_has_a_thought_of_an_earlier_answer() -> None:
    turns = [
        Turn(role=Role.USER, text="Да?"),
        Turn(role=Role.ASSISTANT, text="<think>Тайна</think>Нет."),
        Turn(role=Role.USER, text="<think>Почему?</think>"),
    ]
    kept = fit_turns(turns, 100, lambda some: sum(len(turn.text) for turn in some))
    assert [turn.text for turn in kept] == ["Да?", "Нет.", "<think>Почему?</think>"]
    assert "Тайна" not in str(chat_messages(turns, 100))


THOUGHT = "<think>тайна</think>"
PIECES = [THOUGHT, "<think>", "[THI", "<thi", "`", "```", "\n", "\n\n", "Да ", "нет. ", "<answer>", "</answer>", "~~~"]
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


@given(TEXTS, st.booleans(), st.data())
def test_what_is_shown_of_an_answer_stays(text: str, thinking: bool, data: st.DataObject) -> None:
    text = f"тайна</think>{text}" if thinking else text
    so_much = data.draw(st.integers(0, len(text)))
    shown, answer = (
        hide_thoughts(text[:so_much], thinking=thinking).text,
        hide_thoughts(text, thinking=thinking, whole=True).text,
    )
    assert answer.startswith(shown.rstrip())
    assert tidy_answer(answer, cut=False).startswith(partial_answer(shown))


@given(st.lists(st.sampled_from([*PIECES, "</think>"])).map("".join), st.booleans(), st.booleans())
def test_any_text_can_be_read(text: str, thinking: bool, whole: bool) -> None:
    assert len(hide_thoughts(text, thinking=thinking, whole=whole).text) <= len(text)
