"""What points to a person is replaced; what only looks like it stays."""

import pytest

from training.data.placeholders import replace_signs
from training.data.private_data import is_only_placeholders, replace_addresses, replace_numbers


def clean(text, language="ru", countries=("RU",)):
    return replace_signs(replace_numbers(replace_addresses(text), countries), language)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("звони +7 912 345-67-89!", "звони [телефон]!"),
        ("8(912)3456789 или 89123456780", "[телефон] или [телефон]"),
        ("мой 8-912-345-67-89", "мой [телефон]"),
        ("офис +44 20 7946 0958", "офис [телефон]"),
        ("домашний 234-56-78", "домашний [телефон]"),
        ("карта 4276 3800 1234 5671 сбер", "карта 4276 3800 1234 5671 сбер"),
        ("карта 4111 1111 1111 1111 сбер", "карта [карта] сбер"),
        ("2200700012345674", "2200700012345674"),
        ("паспорт 45 10 123456 выдан", "паспорт [документ] выдан"),
        ("серия 4510 № 123456", "серия [документ]"),
        ("СНИЛС: 112-233-445 95", "СНИЛС: [документ]"),
        ("112-233-445 95", "[документ]"),
        ("инн 500100732259", "инн [документ]"),
        ("500100732259", "[документ]"),
        ("7707083893", "[документ]"),
        ("счёт 40817810099910004312", "счёт [документ]"),
        ("пиши на ivan.petrov@mail.ru", "пиши на [почта]"),
        ("смотри https://t.me/durov/1?x=2 тут", "смотри [ссылка] тут"),
        ("зайди на habr.com/ru/post", "зайди на [ссылка]"),
        ("спроси @durov_channel", "спроси [имя]"),
        ("почта: иван@почта.рф", "почта: [почта]"),
    ],
)
def test_private_data_are_replaced(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("call me: (415) 555-2671", "call me: [phone]"),
        ("020 7946 0958 after six", "[phone] after six"),
        ("my ssn is 536-90-4399", "my ssn is [document]"),
        ("536-90-4399", "[document]"),
        ("passport no. 533401234", "passport no. [document]"),
        ("passport on 24/11: X 1234567", "passport on 24/11: X 1234567"),
        ("my driver's license is D1234567 okay", "my driver's license is [document] okay"),
        ("national insurance QQ 12 34 56 C", "national insurance [document]"),
        ("pay to GB29 NWBK 6016 1331 9268 19 please", "pay to [document] please"),
        ("DE89370400440532013000", "[document]"),
        ("see bbc.co.uk/news or mit.edu", "see [link] or [link]"),
        ("card 4111 1111 1111 1111", "card [card]"),
    ],
)
def test_private_data_of_english_people_are_replaced(text, cleaned):
    assert clean(text, "en", ("US", "GB")) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "in 1941-1945",
        "on 2024-11-26 at 10:30, or 11/26/2024",
        "it costs $1,250,000.00, not 1 250 000",
        "500-1000 people, pages 120-1345",
        "order 4510-1234, room 1034",
        "e.g. this, i.e. that",
        "000-12-3456 is no number of anybody",
    ],
)
def test_what_is_not_private_in_english_stays(text):
    assert clean(text, "en", ("US", "GB")) == text


@pytest.mark.parametrize(
    "text",
    [
        "в 1941-1945 годах",
        "20.07.2022 12:30:45",
        "стоит 1 250 000 рублей",
        "число пи 3.14159265358979",
        "2+2=4, 100 500 раз",
        "и т.д. и т.п.",
        "ну...ладно.да",
        "собака@",
        "версия 1.2.3.4",
        "[ссылка] и [телефон]",
    ],
)
def test_what_is_not_private_stays(text):
    assert clean(text) == text


def test_a_text_of_place_holders_alone_says_nothing():
    assert is_only_placeholders("[ссылка]")
    assert is_only_placeholders(" [имя], [ссылка]!")
    assert is_only_placeholders("[name], [link]")
    assert is_only_placeholders(replace_addresses("https://a.org"))
    assert not is_only_placeholders("!!!")
    assert not is_only_placeholders("вот [ссылка]")
    assert not is_only_placeholders("[смеётся]")
