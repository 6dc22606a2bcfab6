"""What the bot says itself."""

import pytest

from edge.userbot import phrases
from edge.userbot.chat.commands import parse
from edge.userbot.formatting.messages import split
from edge.userbot.rules import DEFAULT_PREFIX
from events.schema import FailureReason

LANGUAGES = ["ru", "en"]
REASONS = [*FailureReason, phrases.DEADLINE, "a reason from the future"]


def everything_said(locale: str) -> list[str]:
    return [
        phrases.help_text(locale, DEFAULT_PREFIX),
        phrases.hint(locale, DEFAULT_PREFIX),
        phrases.context_length_refused(locale),
        *(phrases.deleted(locale, cancelled=cancelled) for cancelled in (False, True)),
        *(phrases.context_length_set(locale, length) for length in (0, 1, 50)),
        *(phrases.failure(locale, reason) for reason in REASONS),
        *(phrases.thinking(locale, str(number)) for number in range(100)),
    ]


@pytest.mark.parametrize("locale", LANGUAGES)
def test_nothing_said_sets_off_another_bot_or_needs_a_second_message(locale: str) -> None:
    for text in everything_said(locale):
        assert parse(text) is None
        assert split(text) == [text]


def test_the_two_languages_share_no_text() -> None:
    assert not set(everything_said("ru")) & set(everything_said("en"))


@pytest.mark.parametrize("locale", ["en", "EN", "en-GB", "en_US"])
def test_english_is_spoken_in_all_its_regions(locale: str) -> None:
    assert phrases.language(locale) == "en"
    assert phrases.hint(locale, "Bot,") == phrases.hint("en", "Bot,")


@pytest.mark.parametrize("locale", ["", "de", "russian", "-", "\x00"])
def test_a_language_that_is_not_spoken_falls_back_to_russian_or_to_the_configured_one(locale: str) -> None:
    assert phrases.language(locale) == "ru"
    assert phrases.language(locale, "en") == "en"
    assert phrases.hint(locale, "Бот,") == phrases.hint("ru", "Бот,")


@pytest.mark.parametrize("locale", LANGUAGES)
def test_help_lists_every_command_with_the_configured_prefix(locale: str) -> None:
    text = phrases.help_text(locale, "{Бот},")
    assert all(command in text for command in ("/help", "/delete_history", "/set_context_length", "{Бот},", "50"))


@pytest.mark.parametrize("locale", LANGUAGES)
def test_thinking_lines_vary_with_the_request_and_stay_the_same_for_one(locale: str) -> None:
    lines = [phrases.thinking(locale, f"1.2.{number}.0") for number in range(100)]
    assert len(set(lines)) == 8
    assert lines == [phrases.thinking(locale, f"1.2.{number}.0") for number in range(100)]


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("reason", REASONS)
def test_every_failure_is_one_line_that_says_how_to_go_on(locale: str, reason: str) -> None:
    text = phrases.failure(locale, reason)
    assert "\n" not in text
    assert ("Попробуйте спросить" if locale == "ru" else "Please ask again") in text


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_refused_context_length_says_what_is_accepted(locale: str) -> None:
    assert "0" in phrases.context_length_refused(locale)
    assert "50" in phrases.context_length_refused(locale)
