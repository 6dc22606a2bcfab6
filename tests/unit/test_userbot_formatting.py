"""Markdown of an answer as Telegram's formatting: shown where it is safe, text as it is everywhere else."""

import sys
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.userbot.formatting.markdown import read_markdown
from edge.userbot.formatting.messages import MAX_ENTITIES, formatted_messages, message_bounds, utf16_length
from edge.userbot.formatting.styled_text import Entity, FormattedText
from edge.userbot.text import clean, is_blank

MARKERS = "*_~`#\\[]()!•"
"""What may be gone from a text, or have become something else, once it is formatted."""
PIECES = st.sampled_from(
    [
        "*", "**", "***", "_", "__", "~~", "`", "``", "#", "# ", "- ", "* ", "1. ", "> ", "\n", "\n\n", " ", "a", "ж",
        "😀", "e\u0301", ".", ",", "(", ")", "[", "](https://x.y/a_b)", "!", "\\", "$", "2*3", "a_b", "\u200b",
        "\u00a0", "\t",
    ]
)  # fmt: skip
CODE = st.sampled_from(["```", "```py\n", "\n```\n", "~~~\n", "   ", "\n    x = '**'\n"])
ANSWERS = (
    st.lists(PIECES | st.characters(), max_size=80).map("".join).map(clean).filter(lambda text: not is_blank(text))
)
WITH_CODE = st.lists(PIECES | CODE, max_size=60).map("".join).map(clean).filter(lambda text: not is_blank(text))
LIMIT = st.integers(min_value=2, max_value=60)


def of(part: FormattedText, entity: Entity) -> str:
    """The text that the entity is about, as Telegram finds it."""
    units = part.text.encode("utf-16-le")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def look(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The one message that `text` makes, and what is formatted in it."""
    [part] = formatted_messages(text, formatted=True)
    return part.text, [(entity.style, of(part, entity)) for entity in part.entities]


def words(text: str) -> str:
    """What of a text must stay whatever is taken for a marker, white space at the cuts aside."""
    return "".join(char for char in text if char not in MARKERS and not is_blank(char))


@pytest.mark.parametrize(
    ("text", "shown", "formatted"),
    [
        ("**жирный**", "жирный", [("bold", "жирный")]),
        ("__тоже жирный__", "тоже жирный", [("bold", "тоже жирный")]),
        ("*курсив* и _курсив_", "курсив и курсив", [("italic", "курсив"), ("italic", "курсив")]),
        ("~~нет~~, да", "нет, да", [("strike", "нет")]),
        ("***оба***", "оба", [("bold", "оба"), ("italic", "оба")]),
        ("**да, *и так***", "да, и так", [("bold", "да, и так"), ("italic", "и так")]),
        ("***так* и да**", "так и да", [("bold", "так и да"), ("italic", "так")]),
        ("«**a**», (*b*) — _c_!", "«a», (b) — c!", [("bold", "a"), ("italic", "b"), ("italic", "c")]),
        ("**Итог:** **42**", "Итог: 42", [("bold", "Итог:"), ("bold", "42")]),
        ("`код` и `` a`b ``", "код и a`b", [("code", "код"), ("code", "a`b")]),
        ("**см. `x` тут**", "см. x тут", [("bold", "см."), ("code", "x"), ("bold", "тут")]),
        ("😀 **ж😀**!", "😀 ж😀!", [("bold", "ж😀")]),
        ("## Ответ на *всё*\nда", "Ответ на всё\nда", [("bold", "Ответ на всё"), ("italic", "всё")]),
        ("* раз\n* **два**\n  - три", "• раз\n• два\n  - три", [("bold", "два")]),
        ("1. раз\n2. _два_\n\n10) три", "1. раз\n2. два\n\n10) три", [("italic", "два")]),
        ("> **цитата**\n> далее", "> цитата\n> далее", [("bold", "цитата")]),
        (
            "вот:\n```python\nif a:\n    b *= 2\n```\nвсё",
            "вот:\nif a:\n    b *= 2\nвсё",
            [("pre", "if a:\n    b *= 2")],
        ),
        ("- так:\n  ```\n  x\n  ```", "- так:\nx", [("pre", "x")]),
        ("```\nещё не всё", "ещё не всё", [("pre", "ещё не всё")]),
        ("```Так вот: да\nx\n```", "Так вот: да\nx", [("pre", "x")]),
        ("> 1. ```py a=1\n>    x\n>    ```", "> 1. py a=1\nx", [("pre", "x")]),
        ("Вот:\n```bash ls -l\n```\nи *всё*", "Вот:\n```bash ls -l\n```\nи всё", [("italic", "всё")]),
        ("Вот:\n```x\n```", "Вот:\n```x\n```", []),
        ("Вот:\n```да", "Вот:\n```да", []),
        ("Вот:\n```py", "Вот:", []),
        ("~~~ Раз ~~~\n*два*\n~~~ Три ~~~", "~~~ Раз ~~~\nдва\n~~~ Три ~~~", [("italic", "два")]),
        ("~~~sh\n*x*\n~~~", "*x*", [("pre", "*x*")]),
        ("[тут](https://x.y/a_b_(c))", "тут (https://x.y/a_b_(c))", []),
        ("[**bank.com**](http://evil.example)", "bank.com (http://evil.example)", [("bold", "bank.com")]),
        ("[https://x.y](https://x.y)", "https://x.y", []),
        ("![кот](https://x.y/k.png)", "кот (https://x.y/k.png)", []),
        ("\\*не курсив\\*", "*не курсив*", []),
        ("см. ```a\nb```", "см. a\nb", [("code", "a\nb")]),
    ],
)
def test_markdown_is_shown_as_formatting(text, shown, formatted) -> None:
    assert look(text) == (shown, formatted)


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 = 24, 2 * 3 * 4, 2**3**4, *1*, f(*a, **k)",
        "snake_case, some_long_name_, __init__, _a_b_, @_user_name_",
        "**не закрыт, *тоже, `и это, ~~и это",
        "**жирный* и *не жирный**",
        "б**дь и п**да, х** знает, ***, иди на *** и ***ц",
        "^_^ -_- и -_- >_< *_*",
        "цена* 100 ₽, звёзды: 5* и 4*",
        "**/*.py и src/*/b/*, C:\\temp\\new, a\\.b",
        "https://x.y/_a_/**b** и http://x.y/*z*",
        "$a_1*b_2*c$, \\(x_1 *y* z\\), \\[ a *b* c \\], $$ *x* $$",
        "#тег, №1, # ",
        "[a](javascript:alert(1)) [b](/c) [d][e] <b>x</b> &amp; <https://x.y>",
        "текст\n---\nтекст\n===\n* * *\n***",
        "    четыре пробела\n\tи табуляция",
        "- Привет!\n- И тебе.\n+ 5 рублей\n3) пункт",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "~5 и ~6, a~~b~~c",
        "**Пре**фикс и суф**фикс**",
    ],
)
def test_what_is_no_markdown_for_certain_stays_as_it_is(text) -> None:
    assert formatted_messages(text.strip(), formatted=True) == (FormattedText(text.strip()),)


@given(st.text(st.characters(exclude_characters="*_~`#\\[")).map(clean).filter(lambda text: not is_blank(text)))
def test_a_text_without_markers_is_the_same_either_way(text) -> None:
    assert formatted_messages(text, formatted=True) == formatted_messages(text, formatted=False)


@given(st.text().map(clean).filter(lambda text: not is_blank(text)), LIMIT)
def test_a_plain_answer_has_no_formatting(text, limit) -> None:
    assert not any(part.entities for part in formatted_messages(text, formatted=False, limit=limit))


@given(ANSWERS | WITH_CODE, LIMIT)
@example("😀**a😀b**", 2)
@example("*a `b` c*", 5)
@example("```py\n" + "x\n" * 30 + "```", 9)
def test_every_message_fits_and_telegram_takes_its_formatting(text, limit) -> None:
    made = formatted_messages(text, formatted=True, limit=limit)
    assert made
    for part in made:
        assert 0 < utf16_length(part.text) <= limit
        assert not is_blank(part.text)
        assert part.text == part.text.rstrip()
        for entity in part.entities:
            check(part, entity)
        assert list(part.entities) == sorted(part.entities, key=lambda entity: (entity.offset, -entity.length))
        for one, other in combinations(part.entities, 2):
            check_pair(one, other)


def check(part: FormattedText, entity: Entity) -> None:
    assert entity.offset >= 0
    assert entity.length > 0
    assert entity.offset + entity.length <= utf16_length(part.text)
    about = of(part, entity)  # fails between the halves of a surrogate pair
    assert not is_blank(about)
    assert about == (about.rstrip() if entity.style == "pre" else about.strip())


def check_pair(one: Entity, other: Entity) -> None:
    """`other` begins later or is shorter."""
    apart = other.offset >= one.offset + one.length
    inside = other.offset + other.length <= one.offset + one.length
    assert apart or (inside and one.style != other.style and not {"code", "pre"} & {one.style, other.style})


@given(ANSWERS, LIMIT)
@example("**a*b**c*", 3)
def test_the_visible_text_of_all_messages_together_is_the_answers(text, limit) -> None:
    if "```" in text or "~~~" in text:  # a language, which is no text, may follow
        return
    shown = "".join(part.text for part in formatted_messages(text, formatted=True, limit=limit))
    assert words(shown) == words(text)


@given(ANSWERS | WITH_CODE | st.lists(PIECES | CODE | st.just("```Так да"), max_size=20).map("".join), LIMIT)
@example("~~~ a ~~~\nb", 60)
@example("```a b\nc", 60)
@example("a\n\n```b\n```", 60)
@example("- ```py\n", 2)
def test_no_letter_is_lost_beside_a_fence_either(text, limit) -> None:
    # Of code that is still to come the language is not shown.
    made = formatted_messages(f"{text}\nend", formatted=True, limit=limit)
    languages = {entity.language for part in made for entity in part.entities}
    lost = Counter(filter(str.isalnum, text)) - Counter(char for part in made for char in part.text)
    assert not lost - Counter("".join(languages) * (text.count("```") + text.count("~~~")))


@given(ANSWERS | WITH_CODE, LIMIT)
def test_where_a_text_is_cut_changes_nothing_of_what_is_shown_and_how(text, limit) -> None:
    def characters(limit: int) -> list[tuple[str, set[str]]]:
        return [seen for part in formatted_messages(text, formatted=True, limit=limit) for seen in styled(part)]

    assert characters(limit) == characters(4096)


def styled(part: FormattedText) -> list[tuple[str, set[str]]]:
    """What can be seen of a message, each character with its styles."""
    ranges = [(starts(part, entity), ends(part, entity), entity.style) for entity in part.entities]
    return [
        (char, {style for start, end, style in ranges if start <= place < end})
        for place, char in enumerate(part.text)
        if not is_blank(char)
    ]


def starts(part: FormattedText, entity: Entity) -> int:
    return len(part.text.encode("utf-16-le")[: 2 * entity.offset].decode("utf-16-le"))


def ends(part: FormattedText, entity: Entity) -> int:
    return starts(part, entity) + len(of(part, entity))


@given(st.lists(st.sampled_from(["a", " b", "\n", "  c", "**", " `", "_d_", "# e"])).map("".join))
def test_code_is_shown_as_it_is_written(code) -> None:
    code = f"x\n{code}".rstrip()
    shown, formatted = look(f"до\n```c++\n{code}\n```\nпосле")
    assert shown == f"до\n{code}\nпосле"
    assert formatted == [("pre", code)]


def test_code_that_is_cut_is_code_in_every_message_and_stays_indented() -> None:
    text = "```py\nif a:\n    b = 1\n\n    c = 2\n    d = 3\n```"
    made = formatted_messages(text, formatted=True, limit=20)
    assert [part.text for part in made] == ["if a:\n    b = 1", "    c = 2\n    d = 3"]
    assert [part.entities for part in made] == [(Entity("pre", 0, utf16_length(part.text), "py"),) for part in made]


def test_a_message_ends_before_a_code_block_rather_than_inside() -> None:
    made = formatted_messages("Вот так делают:\n```\na = 1\n\nb = 2\n```", formatted=True, limit=24)
    assert [part.text for part in made] == ["Вот так делают:", "a = 1\n\nb = 2"]


@pytest.mark.parametrize(("info", "language"), [("python", "python"), ("C++ x=1", "C++"), ("{.r}", ""), ("", "")])
def test_a_code_block_has_its_language(info, language) -> None:
    [part] = formatted_messages(f"```{info}\nx\n```", formatted=True)
    before = "" if info == language else f"{info}\n"
    assert part == FormattedText(f"{before}x", (Entity("pre", len(before), 1, language),))


def test_what_telegram_would_ignore_is_not_sent() -> None:
    [part] = formatted_messages("`x` " * 150, formatted=True)
    assert len(part.entities) == MAX_ENTITIES
    assert part.text == " ".join("x" * 150)


@pytest.mark.parametrize("text", ["```\n```", "``` ```", "```py\n\n\n```"])
def test_an_answer_that_would_show_nothing_is_shown_as_it_is_written(text) -> None:
    assert formatted_messages(text, formatted=True) == (FormattedText(text),)


def test_an_answer_that_grows_is_formatted_as_soon_as_a_marker_has_its_partner() -> None:
    text = "Вот **жирный** и `код`:\n```py\nx = 1\n```"
    shown = [look(text[:length]) for length in range(1, len(text) + 1)]
    assert look("Вот **жирный") == ("Вот **жирный", [])
    assert look("Вот **жирный*") == ("Вот **жирный*", [])
    assert look("Вот **жирный** и `к") == ("Вот жирный и `к", [("bold", "жирный")])
    # No formatting is ever taken back.
    assert all(earlier[1] == later[1][: len(earlier[1])] for earlier, later in pairwise(shown[:22]))
    assert look("```py\nx =") == ("x =", [("pre", "x =")])


@pytest.mark.parametrize(
    "piece", ["*a ", "**a* b", "[a](", "` `` ", "\\(", "> * ", "_a *b ", "*a* `b` ", "```\n\n```\n"]
)
def test_a_long_answer_of_nothing_but_markers_is_taken_too(piece) -> None:
    text = (piece * 64 * 1024)[: 16 * 1024]
    assert words("".join(part.text for part in formatted_messages(text, formatted=True))) == words(text)


@pytest.mark.parametrize(
    "piece", ["\\\n> - \n", "\n> * >  \n__", "> a\nb\n", "- > a\n", "- a\n  ```\n", "*_a_ `", "[a](tg://("]
)
def test_twice_the_text_is_twice_the_work(piece) -> None:
    assert steps(piece * 400) < 2.5 * steps(piece * 200)


def steps(text: str) -> int:
    """How many functions are called to read it."""
    count = 0

    def called(_frame: object, event: str, _value: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        read_markdown(text)
    finally:
        sys.setprofile(before)
    return count


def test_what_follows_a_code_block_in_a_later_message_is_cut_like_any_text() -> None:
    text = "aaaa aaaa aaaa\n\nbbbb ccccc\n\nd\nee\nff gg"
    bounds = message_bounds(text, 18, blocks=[(16, 30)])
    assert [text[start:end] for start, end in bounds] == ["aaaa aaaa aaaa", "bbbb ccccc\n\nd\nee", "ff gg"]
