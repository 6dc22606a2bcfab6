"""What is sent of what a model wrote."""

import pytest

from functions.generate.answers import tidy


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
    assert tidy(written, cut=False) == sent


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
    assert tidy(written, cut=True) == sent
