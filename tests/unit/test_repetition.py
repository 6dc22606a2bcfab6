"""Whether an answer repeats what was said: whatever its case, punctuation and white space."""

from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from events.schema import Role, Sampling, Turn
from functions.generate.decoding.repetition import LEAST_WORDS, EarlierTexts

SAID = "Я тебе всё это приготовлю."
LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяabcdefghijklmnopqrstuvwxyzäéçñष中0123456789"
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=12)
BETWEEN = st.sampled_from([" ", "\n", "  ", ", ", ". ", " — ", "! ", "\u00a0", " 😀 ", " _"])


def turns(*texts: str) -> list[Turn]:
    """By turns, a question last."""
    return [
        Turn(role=Role.USER if place % 2 == 0 else Role.ASSISTANT, text=text)
        for place, text in enumerate(reversed(texts))
    ][::-1]


@st.composite
def rewritten(draw, words):
    """The same words, in another hand."""
    written = [draw(st.sampled_from([str.upper, str.lower, str.title]))(word) for word in words]
    written = [word.replace("ё", "е") if draw(st.booleans()) else word for word in written]
    pieces = [piece for word in written for piece in (word, draw(BETWEEN))]
    return draw(st.sampled_from(["", "«", " ", "…"])) + "".join(pieces[: None if draw(st.booleans()) else -1])


@given(st.data(), WORDS)
def test_the_same_words_repeat_however_they_are_written(data, words) -> None:
    repeats = EarlierTexts([" ".join(words)]).contains(data.draw(rewritten(words)))
    assert repeats is (len(words) >= LEAST_WORDS)


@given(st.data(), WORDS, WORDS)
def test_other_words_do_not_repeat(data, words, others) -> None:
    assume(" ".join(words).casefold().replace("ё", "е") != " ".join(others).casefold().replace("ё", "е"))
    assert not EarlierTexts([" ".join(words)]).contains(data.draw(rewritten(others)))


@given(st.data(), WORDS)
def test_every_beginning_of_a_repetition_may_become_one(data, words) -> None:
    earlier = EarlierTexts([" ".join(words)])
    written = data.draw(rewritten(words)).split()
    for beginning in accumulate(written, "{} {}".format):
        assert earlier.may_contain(beginning) is (len(words) >= LEAST_WORDS)
    assert not earlier.may_contain(f"{' '.join(words)} ещё")


@given(st.text(), st.text())
def test_any_text_can_be_compared(said, answer) -> None:
    earlier = EarlierTexts([said])
    assert earlier.contains(answer) <= earlier.may_contain(answer)


@pytest.mark.parametrize(
    "answer",
    [
        SAID,
        "я тебе все это приготовлю",
        "«Я тебе всё это приготовлю!..»",
        " Я  тебе\nвсё — это\u00a0приготовлю 😊",
        "Я тебе все\u0308 это пригото\u00adвлю",
        "**Я** тебе _всё_ это приготовлю",
    ],
)
def test_these_are_the_same(answer) -> None:
    assert EarlierTexts([SAID]).contains(answer)


@pytest.mark.parametrize("answer", ["", "…", "Я тебе это приготовлю.", f"{SAID} Завтра.", f"Да! {SAID}"])
def test_these_are_not(answer) -> None:
    assert not EarlierTexts([SAID]).contains(answer)


@pytest.mark.parametrize(
    "short",
    ["Да.", "Не знаю.", "Я тебе приготовлю.", "I don't know.", "Кое-кто кое-что знает.", "2 + 2 = 4", "😀 😀 😀 😀"],
)
def test_up_to_three_words_may_be_said_again(short) -> None:
    earlier = EarlierTexts([short])
    assert not earlier.contains(short)
    assert not earlier.may_contain(short)


def test_vowels_that_are_marks_tell_words_apart() -> None:
    assert not EarlierTexts(["की बात है यह"]).contains("का बात है यह")
    assert not EarlierTexts(["नमस्ते दोस्त जी"]).contains("नमस्ते दोस्त जी")


def test_answers_and_the_question_count_and_earlier_questions_do_not() -> None:
    earlier = EarlierTexts.of_conversation(turns("первый вопрос про море", SAID, "второй вопрос про горы"), Sampling())
    assert earlier.contains(SAID)
    assert earlier.contains("Второй вопрос про горы?")
    assert not earlier.contains("первый вопрос про море")


def test_a_thought_is_no_part_of_an_answer() -> None:
    earlier = EarlierTexts.of_conversation(
        turns("вопрос", f"<think>скажу так</think>\n\n{SAID}", "ещё вопрос"), Sampling()
    )
    assert earlier.contains(SAID)


def test_a_text_that_no_answer_can_be_as_long_as_is_not_compared() -> None:
    long = "слово " * 400
    assert EarlierTexts.of_conversation(turns(long), Sampling(max_new_tokens=100)).contains(long)
    assert not EarlierTexts.of_conversation(turns(long), Sampling(max_new_tokens=10)).contains(long)
