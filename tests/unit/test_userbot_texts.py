"""The catalogues: every language says every line, in all its plural forms, and nothing that is a command."""

import ast
from pathlib import Path

import pytest
from babel import Locale
from fluent.syntax.ast import Identifier, SelectExpression, VariableReference
from fluent.syntax.visitor import Visitor

from edge.userbot.chat.draft_messages import PART_LIMIT
from edge.userbot.formatting.messages import MAX_MESSAGE
from edge.userbot.owner.reports import MAX_LISTED, MAX_PAUSED_SHOWN
from edge.userbot.rules import DEFAULT_PREFIX
from edge.userbot.texts.catalogue import Catalogue, name_of
from edge.userbot.texts.checks import SAMPLES, check, max_length, variables_of
from edge.userbot.texts.files import SHIPPED, catalogues_in, languages
from edge.userbot.texts.installed import current, say
from edge.userbot.texts.loading import CHOICES
from edge.userbot.texts.parsing import Entries, parse
from edge.userbot.texts.texts import MEASURE

ROOT = Path(__file__).parents[2]
CATALOGUES = {tag: parse(file.read_text(encoding="utf-8")) for tag, file in catalogues_in(SHIPPED).items()}
LANGUAGES = sorted(CATALOGUES)
WITHOUT_A_NOUN = {("help", "most"), ("context-length-refused", "most")}
"""Numbers of a range, from 0 to 50: no word depends on them."""


class Selections(Visitor):
    """The forms that a line has for each of its numbers."""

    def __init__(self) -> None:
        self.forms: dict[str, list[set[str]]] = {}

    def visit_SelectExpression(self, node: SelectExpression) -> None:
        assert isinstance(node.selector, VariableReference)
        keys = {variant.key.name for variant in node.variants if isinstance(variant.key, Identifier)}
        self.forms.setdefault(node.selector.id.name, []).append(keys)
        self.generic_visit(node)


def ids(entries: Entries) -> set[str]:
    return {one for one in entries if not one.startswith("-")}


def test_russian_and_english_are_there() -> None:
    assert {"ru", "en"} <= {*LANGUAGES}
    assert languages() == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_lines_with_the_same_variables(language: str) -> None:
    entries, measure = CATALOGUES[language], CATALOGUES[MEASURE]
    assert ids(entries) == ids(measure)
    assert {one: variables_of(entries, one) for one in ids(entries)} == {
        one: variables_of(measure, one) for one in ids(measure)
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_has_all_plural_forms_of_the_language(language: str) -> None:
    wanted = {*Locale.parse(language, sep="-").plural_form.tags, "other"}
    for line_id in ids(CATALOGUES[language]):
        selections = Selections()
        selections.visit(CATALOGUES[language][line_id])
        numbers = variables_of(CATALOGUES[language], line_id) - SAMPLES.keys()
        assert {name for name in numbers if (line_id, name) not in WITHOUT_A_NOUN} == selections.forms.keys(), line_id
        assert all(forms == wanted for found in selections.forms.values() for forms in found), line_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_fits_and_is_no_command_whatever_is_put_into_it(language: str) -> None:
    catalogue = Catalogue(language, CATALOGUES[language])
    for line_id in catalogue.ids:
        wanted = variables_of(CATALOGUES[MEASURE], line_id)
        check(CATALOGUES[language], line_id, catalogue, wanted=wanted, prefixes={DEFAULT_PREFIX})


def test_lines_that_share_a_message_fit_into_it_together() -> None:
    head = max(max_length(line_id) for line_id in ("draft", "draft-failed", "draft-more"))
    assert head + PART_LIMIT + max_length("draft-how") + len("\n\n" * 2) <= MAX_MESSAGE
    rows = MAX_PAUSED_SHOWN * (max_length("status-paused-chat") + len("\n• "))
    others = {one for one in ids(CATALOGUES[MEASURE]) if one.startswith("status-")} - {"status-paused-chat"}
    assert {max_length(one) for one in others} == {max_length("status-running")}
    assert rows + 6 * (max_length("status-running") + len("\n")) + len("Timokha 0.0.0") <= MAX_MESSAGE
    lists = 4 * (max_length("people-by-settings") + len("\n• ")) + 2 * (max_length("people-answered") + len("\n"))
    assert lists <= MAX_MESSAGE
    assert MAX_LISTED + max_length("people-more") < len(SAMPLES["people"]) <= max_length("people-by-settings")


def constants() -> list[str]:
    return [
        node.value
        for file in (ROOT / "edge").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_every_line_is_said_somewhere() -> None:
    assert not {name_of(one) for one in ids(CATALOGUES[MEASURE])} - {*constants()}


def calls() -> list[tuple[str, set[str]]]:
    """The lines that the code says by their id, and the variables that it gives them."""
    return [
        (node.args[1].value, {keyword.arg or "**" for keyword in node.keywords})
        for file in (ROOT / "edge").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"
        if len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    ]


def test_the_code_gives_every_line_its_variables() -> None:
    said = calls()
    assert len(said) > 50
    for line_id, given in said:
        assert given == variables_of(CATALOGUES[MEASURE], line_id), line_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_lines_to_choose_from(language: str) -> None:
    assert all(len(current().choices(language, name)) > 1 for name in CHOICES)


@pytest.mark.parametrize(
    ("count", "line"),
    [(1, "В работе: 1 вопрос"), (3, "В работе: 3 вопроса"), (11, "В работе: 11 вопросов"), (21, "В работе: 21 вопрос")],
)
def test_a_russian_noun_follows_its_number(count: int, line: str) -> None:
    assert say("ru", "queue-questions", count=count) == line


def test_numbers_are_plain_digits() -> None:
    assert "1000 " in say("ru", "order-full", most=1000)
    assert "1000 " in say("en", "order-full", most=1000)


@pytest.mark.parametrize("name", ["{ $prefix }", "{hint}", "-term", "\u2068x\u2069", "a\nb = c", '{ "x" }', "\\u0041"])
def test_what_is_put_into_a_line_is_no_syntax_and_stays_as_it_is(name: str) -> None:
    assert say("en", "draft-sent", asker=name) == f"Sending it. {name} gets the answer."


def test_no_mark_is_put_around_a_value() -> None:
    assert say("ru", "hint", prefix="бот,") == "Напишите вопрос сразу после обращения, например: «бот, как дела?»"
