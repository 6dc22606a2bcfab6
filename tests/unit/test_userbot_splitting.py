"""Text as Telegram takes it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.formatting.messages import split, utf16_length
from edge.userbot.text import clean, is_blank

FAMILY = "👨‍👩‍👧‍👦"
TEXT = st.text(st.sampled_from("ab.!? \n\t\u00a0жё😀e\u0301" + FAMILY), max_size=300) | st.text(max_size=300)
LIMIT = st.integers(min_value=2, max_value=40)


def solid(text: str) -> str:
    """`text` without what may be dropped at a cut: white space and invisible characters."""
    return "".join(char for char in text if not is_blank(char))


def test_length_is_counted_in_utf16_code_units() -> None:
    assert utf16_length("aж😀") == 4
    assert [utf16_length(char) for char in "\uffff\U00010000"] == [1, 2]


def test_cleaning_removes_what_telegram_refuses_and_keeps_line_breaks_and_tabs() -> None:
    assert clean("a\x00b\ud83d\x7fc\td\r\ne\u2028f\x1b\ud83d\ude00") == "abc\td\ne\nf😀"


@given(st.text(st.characters(exclude_categories=[])))
def test_clean_text_is_valid_unicode_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == clean(cleaned)


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u2060", "\ufeff"])
def test_a_text_that_shows_nothing_is_blank_and_makes_no_message(text: str) -> None:
    assert is_blank(text)
    assert split(text) == []


def test_a_short_text_is_one_message() -> None:
    assert split("  Привет!\n\nКак дела?  ") == ["Привет!\n\nКак дела?"]


def test_exactly_the_limit_is_one_message() -> None:
    assert split("😀" * 2048) == ["😀" * 2048]
    assert split("😀" * 2049) == ["😀" * 2048, "😀"]


def test_a_paragraph_is_preferred_to_a_line_a_line_to_a_sentence_and_a_sentence_to_a_word() -> None:
    assert split("aaaa aaaa\n\nb. b\nc d", 16) == ["aaaa aaaa", "b. b\nc d"]
    assert split("aaaa aaaa\nb. b c dddd", 16) == ["aaaa aaaa", "b. b c dddd"]
    assert split("aaaa aaaa. b c dddd", 16) == ["aaaa aaaa.", "b c dddd"]
    assert split("aaaa «aaaa.» b cc dd", 16) == ["aaaa «aaaa.»", "b cc dd"]
    assert split("aaaa aaaa b c dddd", 16) == ["aaaa aaaa b c", "dddd"]


def test_an_early_paragraph_does_not_make_a_tiny_message() -> None:
    assert split("a\n\nbbbb bbbb bbbb", 12) == ["a\n\nbbbb bbbb", "bbbb"]


def test_a_word_that_just_fits_is_kept_whole() -> None:
    assert split("aaaa bbbb cccc", 9) == ["aaaa bbbb", "cccc"]


def test_a_long_word_is_cut_between_characters_as_a_reader_sees_them() -> None:
    assert split("aaaa" + FAMILY, 12) == ["aaaa", FAMILY]
    assert split("aaae\u0301", 4) == ["aaa", "e\u0301"]
    assert split("a🇷🇺🇬🇧", 7) == ["a🇷🇺", "🇬🇧"]
    assert split("🇷🇺🇬🇧", 7) == ["🇷🇺", "🇬🇧"]


def test_a_character_longer_than_a_message_is_cut_all_the_same() -> None:
    assert split("e" + "\u0301" * 9, 4) == ["e" + "\u0301" * 3, "\u0301" * 4, "\u0301" * 2]


@given(TEXT, LIMIT)
def test_every_message_fits_and_is_one_telegram_accepts(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert 0 < utf16_length(part) <= limit
        assert not is_blank(part)
        assert part == part.strip()


@given(TEXT, LIMIT)
def test_nothing_but_white_space_is_lost_and_the_order_stays(text: str, limit: int) -> None:
    assert solid("".join(split(text, limit))) == solid(text)


@given(st.text(st.sampled_from("abж. \n"), max_size=300), LIMIT)
def test_a_word_that_fits_is_never_cut(text: str, limit: int) -> None:
    words = re.findall(r"\S+", text)
    whole = [word for part in split(text, limit) for word in re.findall(r"\S+", part)]
    if all(len(word) <= limit for word in words):
        assert whole == words


@given(TEXT, LIMIT)
def test_splitting_a_message_again_changes_nothing(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert split(part, limit) == [part]
