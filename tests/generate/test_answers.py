"""What is sent of what a model wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.generate.decoding.answers import partial_answer, tidy_answer

PIECES = ["Тимоха", ":", " ", "\n", "«", "»", '"', "Да", "timo", "нет.", "\ufffd", "😀", "Гость", "слово"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (" Привет! ", "Привет!"),
        ("Тимоха: Привет!", "Привет!"),
        ("«Привет!»", "Привет!"),
        ('"Привет!', "Привет!"),
        ("«Войну и мир» написал Толстой.", "«Войну и мир» написал Толстой."),
        ("«Да» и «нет»", "«Да» и «нет»"),
        ("Приве\ufffd", "Приве"),
        ("", ""),
        ("«", ""),
    ],
)
def test_labels_quotes_and_broken_characters_go(written: str, sent: str) -> None:
    assert tidy_answer(written, cut=False) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Я читаю. А ты чт", "Я читаю."),
        ("Он сказал «да!» и уш", "Он сказал «да!»"),
        ("Число 3.14 и много друг", "Число 3.14 и много…"),
        ("Я читаю, чит", "Я читаю…"),
        ("Невероя", "Невероя"),
    ],
)
def test_a_cut_answer_ends_at_a_whole_sentence_or_word(written: str, sent: str) -> None:
    assert tidy_answer(written, cut=True) == sent


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", ""),
        (" Хорошо", ""),
        (" Хорошо, а", "Хорошо,"),
        ("Хорошо, а у тебя? ", "Хорошо, а у тебя?"),
        ("Тимо", ""),
        ("Тимоха: При", ""),
        ("Тимоха: Привет, дру", "Привет,"),
        ("«Да, конечно", ""),
        ("«Да» и не", "«Да» и"),
        ("Привет, \ufffd", "Привет,"),
        ("日" * 30, "日" * 6),
    ],
)
def test_of_an_answer_being_written_whole_words_are_shown(written: str, shown: str) -> None:
    assert partial_answer(written) == shown


@given(st.lists(st.sampled_from(PIECES)).map("".join), st.data())
def test_what_is_shown_of_an_answer_is_the_start_of_what_is_sent(written: str, data: st.DataObject) -> None:
    so_much = data.draw(st.integers(0, len(written)))
    assert tidy_answer(written, cut=False).startswith(partial_answer(written[:so_much]))
