"""What a text asks of the bot."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat.commands import Ask, AskHint, DeleteHistory, Help, SetContextLength, parse, parse_context_length
from edge.userbot.text import is_invisible, strip_invisible, trim

NAMES = {"timokha", "timokha_bot"}
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
    assert parse(text, names=NAMES) == Help()


@pytest.mark.parametrize("text", ["/delete_history", "\t/Delete_History ", "/delete_history@TIMOKHA"])
def test_delete_history_is_recognised(text: str) -> None:
    assert parse(text, names=NAMES) == DeleteHistory()


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("/set_context_length 5", "5"),
        ("/SET_CONTEXT_LENGTH@timokha \n 5 ", "5"),
        ("/set_context_length\u00a05", "5"),
        ("/set_context_length", ""),
        ("/set_context_length five\nor six", "five\nor six"),
    ],
)
def test_set_context_length_carries_its_argument(text: str, argument: str) -> None:
    assert parse(text, names=NAMES) == SetContextLength(argument)


@pytest.mark.parametrize("command", ["/help", "/delete_history", "/set_context_length"])
@pytest.mark.parametrize("whose", ["other_bot", "timokha_bot_2", "timokh", "бот", "ti\u200bmokha_", "тimokha"])
def test_a_command_to_somebody_else_is_nothing(command: str, whose: str) -> None:
    assert parse(f"{command}@{whose}", names=NAMES) is None
    assert parse(f"{command}@{whose} 5", names=NAMES) is None


def test_an_account_without_a_name_obeys_commands_that_name_nobody() -> None:
    assert parse("/help@timokha") is None
    assert parse("/help") == Help()


INVISIBLE = [
    *("\u00ad", "\u061c", "\u180e", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060"),
    *(
        "\u2062",
        "\u2064",
        "\u2066",
        "\u2068",
        "\u2069",
        "\u2800",
        "\u3164",
        "\ufe0f",
        "\ufeff",
        "\ufffc",
        "\x00",
        "\x08",
    ),
    "\u200e\u2068",
]


@pytest.mark.parametrize("unseen", INVISIBLE)
def test_what_cant_be_seen_makes_no_difference(unseen: str) -> None:
    for text in (f"{unseen}Тимоха, да", f"Ти{unseen}моха, да", f"Тимоха{unseen}, да", f"Тимоха,{unseen} {unseen}да"):
        assert parse(text) == Ask("да")
        assert parse(f" {unseen} {text}\n") == Ask("да")
    assert parse(f"Тимоха,{unseen}") == AskHint()
    assert parse(f"timokha{unseen} hi", "Timokha") == Ask("hi")
    assert parse(f"timokha{unseen}s hi", "Timokha") is None
    assert parse(f"{unseen}/{unseen}help{unseen}") == Help()
    assert parse(f"/help@{unseen}timokha{unseen}", names=NAMES) == Help()
    assert parse(f"/set_context_length {unseen}5{unseen}") == SetContextLength("5")
    assert parse_context_length(f"{unseen}5") == 5


@pytest.mark.parametrize(
    "text", ["\u2068Тимоха\u2069, как дела?", "\u2068Тимоха, как дела?\u2069", "\u200fТимоха, как дела?\u200f"]
)
def test_a_name_that_an_app_has_isolated_is_a_name(text: str) -> None:
    assert parse(text) == Ask("как дела?")


@pytest.mark.parametrize("question", ["❤️", "👨‍👩‍👧", "🏴\U000e0067\U000e0062\U000e007f", "می‌خواهم", "a\u200bb"])
def test_a_question_keeps_what_its_letters_and_emoji_are_made_of(question: str) -> None:
    assert parse(f"Тимоха, {question}\u200b") == Ask(question)


@pytest.mark.parametrize(
    ("prefix", "typed"),
    [
        ("Андрей,", "Андре\u0438\u0306, да"),
        ("Андре\u0438\u0306,", "андрей, да"),
        ("Ё", "Е\u0308 да"),
        ("Café", "CAFE\u0301 да"),
        ("Эй, Тимоха,", "эй,\u00a0\u200bтимоха,да"),
        ("Эй,\u00a0Тимоха,", "Эй, \n Тимоха, да"),
        ("Бот!", "Бот！да"),
        ("Bot:", "Ｂｏｔ： да"),
        ("Бот...", "Бот… да"),
        ("O'Neil,", "O\u2019Neil, да"),
        ("«Бот»", '"бот" да'),
        ("Бот --", "Бот \u2014 да"),
        ("Бот -", "Бот \u2013да"),
        ("--", "\u2014\u200b- да"),
        ("❤️", "❤ да"),
        ("❤", "❤️ да"),
        ("ᾂ,", "α\u0313\u0300\u0345, да"),
    ],
)
def test_a_prefix_is_known_however_its_letters_are_made(prefix: str, typed: str) -> None:
    assert parse(typed, prefix) == Ask("да")


@pytest.mark.parametrize(
    ("prefix", "typed"),
    [("Андреи", "Андре\u0438\u0306 да"), ("Тимоха", "Тимоха\u0301 да"), ("e", "e\u0301 да"), ("\u200b", "\u200b да")],
)
def test_another_letter_is_another_prefix(prefix: str, typed: str) -> None:
    assert parse(typed, prefix) is None


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


@given(ANY_TEXT, st.sampled_from(["Тимоха,", "Timokha", "ß", "/x", "İ", "ﷺ", "각", "\u200b"]) | ANY_TEXT)
def test_no_text_makes_parsing_fail(text: str, prefix: str) -> None:
    parse(text, prefix)
    parse(unicodedata.normalize("NFD", text + prefix), prefix)
    parse_context_length(text)


@given(ANY_TEXT)
def test_whatever_follows_the_prefix_is_a_question_that_can_be_stored_or_a_hint(text: str) -> None:
    command = parse("\u2066тимО\u200bха," + text)
    assert isinstance(command, Ask | AskHint)
    if isinstance(command, Ask):
        assert command.question.encode().decode() == command.question.strip()


PREFIXES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Cn", "Zl", "Zp", "Zs", "Mn", "Mc", "Me"]),
    min_size=1,
    max_size=6,
)


@given(PREFIXES, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]), st.lists(st.sampled_from(INVISIBLE), max_size=3))
def test_a_prefix_is_known_in_every_form_of_unicode(prefix: str, form: str, unseen: list[str]) -> None:
    typed = "".join(unseen) + unicodedata.normalize(form, prefix)
    assert parse(f"{typed} да", prefix) == Ask("да")


def test_what_is_invisible_is_unicodes_own_list_and_little_else() -> None:
    listed = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cs}\u2800\ufff9-\ufffc]|[^\P{Cc}\s\x1c-\x1f]")
    everything = "".join(map(chr, range(0x110000)))
    assert set(everything) - set(strip_invisible(everything)) == set(listed.findall(everything))


@given(ANY_TEXT)
def test_trimming_takes_nothing_from_the_middle(text: str) -> None:
    left = trim(text)
    assert left in text
    assert trim(left) == left
    assert not left or not (is_invisible(left[0]) or left[0].isspace() or left[-1].isspace())
