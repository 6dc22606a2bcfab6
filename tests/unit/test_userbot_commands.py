"""What a text asks of the bot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.commands import Ask, AskHint, DeleteHistory, Help, SetContextLength, parse, parse_context_length

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=200)


@pytest.mark.parametrize(
    "text",
    [
        "Тимоха, как дела?",
        "тимоха,как дела?",
        "ТИМОХА,\nкак дела?",
        "Тимоха,\u00a0\u2003\u3000как дела?",
        "  \n Тимоха,\r\n\tкак дела? \n",
        "Тимоха,\x00 как дела?\ud83d",
    ],
)
def test_the_prefix_and_a_text_make_a_question(text: str) -> None:
    assert parse(text) == Ask("как дела?")


def test_line_breaks_and_markup_inside_a_question_stay() -> None:
    assert parse("Тимоха, раз\n\nдва <:> @@ПЕРВЫЙ@@ /help") == Ask("раз\n\nдва <:> @@ПЕРВЫЙ@@ /help")


def test_a_surrogate_pair_in_two_halves_is_one_character() -> None:
    assert parse("Тимоха, \ud83d\ude00") == Ask("😀")


@pytest.mark.parametrize("text", ["Тимоха,", " тимоха, \n", "Тимоха,\u200b", "Тимоха, \ud83d\x00"])
def test_the_prefix_with_nothing_to_see_after_it_gets_a_hint(text: str) -> None:
    assert parse(text) == AskHint()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Привет",
        "Тимоха",
        "Тимохатест",
        "Тимоха привет",
        "Эй, Тимоха, привет",
        "Тимоxа, латинская x",
        "/",
        "//",
    ],
)
def test_a_text_without_the_prefix_at_its_start_is_nothing(text: str) -> None:
    assert parse(text) is None


def test_yo_and_ye_differ() -> None:
    assert parse("Фёдор, привет", "Федор,") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timokha hi", Ask("hi")),
        ("TIMOKHA\nhi", Ask("hi")),
        ("timokha", AskHint()),
        ("timokhas", None),
        ("timokha, hi", None),
    ],
)
def test_a_prefix_that_ends_in_a_letter_must_not_run_on(text: str, expected: object) -> None:
    assert parse(text, "Timokha") == expected


@pytest.mark.parametrize(
    ("prefix", "text"),
    [("Straße,", "STRASSE, hi"), ("STRASSE,", "straße, hi"), ("/ask", "/ask hi"), (" Бот: ", "бот:hi")],
)
def test_any_prefix_is_compared_without_case(prefix: str, text: str) -> None:
    assert parse(text, prefix) == Ask("hi")


@pytest.mark.parametrize("text", ["/help", " /HELP\n", "/Help@Timokha_bot"])
def test_help_is_recognised(text: str) -> None:
    assert parse(text) == Help()


@pytest.mark.parametrize("text", ["/delete_history", "\t/Delete_History ", "/delete_history@someone"])
def test_delete_history_is_recognised(text: str) -> None:
    assert parse(text) == DeleteHistory()


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("/set_context_length 5", "5"),
        ("/SET_CONTEXT_LENGTH@someone \n 5 ", "5"),
        ("/set_context_length", ""),
        ("/set_context_length five\nor six", "five\nor six"),
    ],
)
def test_set_context_length_carries_its_argument(text: str, argument: str) -> None:
    assert parse(text) == SetContextLength(argument)


@pytest.mark.parametrize(
    "text",
    [
        "/helpme",
        "/help me",
        "/help@",
        "help",
        "/ help",
        "/delete_historys",
        "/delete_history all",
        "/set_context_length5",
    ],
)
def test_what_only_resembles_a_command_is_nothing(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(("argument", "length"), [("0", 0), ("50", 50), (" 7 ", 7), ("07", 7)])
def test_a_context_length_is_a_plain_number(argument: str, length: int) -> None:
    assert parse_context_length(argument) == length


@pytest.mark.parametrize("argument", ["", "-1", "+5", "51", "5.0", "1e1", "five", "5 6", "٥", "²", "<5>", "9" * 5000])
def test_any_other_context_length_is_refused(argument: str) -> None:
    assert parse_context_length(argument) is None


@given(ANY_TEXT, st.sampled_from(["Тимоха,", "Timokha", "ß", "/x", "İ"]))
def test_no_text_makes_parsing_fail(text: str, prefix: str) -> None:
    parse(text, prefix)
    parse_context_length(text)


@given(ANY_TEXT)
def test_whatever_follows_the_prefix_is_a_question_that_can_be_stored_or_a_hint(text: str) -> None:
    command = parse("тимОха," + text)
    assert isinstance(command, Ask | AskHint)
    if isinstance(command, Ask):
        assert command.question.encode().decode() == command.question.strip()
