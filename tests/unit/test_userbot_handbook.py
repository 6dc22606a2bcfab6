"""The owner's handbook has every rule, command, effect and silence; its settings' defaults and examples are right."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from cli.config.reading import check_names
from docs import settings
from edge.userbot import phrases
from edge.userbot.chat.transitions import BY_RULE, REFUSALS, Effect
from edge.userbot.current_rules import RULES
from edge.userbot.owner.orders import COMMANDS, Misused, Unknown, parse_order
from edge.userbot.settings import UserbotSettings
from edge.userbot.texts.catalogue import name_of
from edge.userbot.texts.checks import variables_of
from edge.userbot.texts.files import SHIPPED
from edge.userbot.texts.installed import installed, say
from edge.userbot.texts.own import own_texts
from edge.userbot.texts.parsing import parse
from edge.userbot.texts.texts import MEASURE
from events.toml_file import TABLES

HANDBOOK = (Path(__file__).parents[2] / "docs/userbot.md").read_text()
CHAPTERS = {
    name: text for name, _, text in (one.partition("\n") for one in re.split(r"^## ", HANDBOOK, flags=re.MULTILINE))
}
ROW = re.compile(r"^\| `(\w+)` \| .+ \| `?([^`|]*?)`? \| `(.+)` \| (yes|no) \|$", re.MULTILINE)
SETTINGS = {variable: cells for variable, *cells in ROW.findall(CHAPTERS["Settings"])}
FIELDS = {UserbotSettings.variable(name): name for name in UserbotSettings.model_fields}
NOT_FOR_THE_DIAGRAM = {
    Effect.SILENT,
    Effect.UNREADABLE,
    Effect.REFUSED,
    Effect.OWN,
    Effect.OWNER_WROTE,
    Effect.OWNER_TOOK_OVER,
    Effect.QUESTION_DELETED,
    Effect.RESTRICTED,
    Effect.ORDERED,
    Effect.TOO_MANY_ORDERS,
}
"""The diagram shows what becomes of a question or a chat's command that is stored."""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write `timokha.toml` into the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.partition("_")[0].lower() in TABLES]:
        monkeypatch.delenv(name)
    return (tmp_path / "timokha.toml").write_text


def read() -> UserbotSettings:
    return UserbotSettings.read(api_id="1", api_hash="x")


def test_every_rule_and_the_owner_are_in_the_table() -> None:
    assert {FIELDS[variable] for variable in SETTINGS} >= RULES | {"owner"}
    rows = [line for line in CHAPTERS["Settings"].splitlines() if line.startswith("| `")]
    assert len(rows) == len(SETTINGS), "a row that is not read is not checked"


def test_the_table_says_what_needs_a_restart() -> None:
    without = {FIELDS[variable] for variable, (*_, applies) in SETTINGS.items() if applies == "yes"}
    assert without == RULES


def test_the_table_gives_each_setting_its_default() -> None:
    defaults = dict(re.findall(r"^\| `(\w+)` \|.*\| `?([^`|]*)`? \|$", settings.page(), re.MULTILINE))
    assert {variable: default.strip() for variable, (default, *_) in SETTINGS.items()} == {
        variable: defaults[variable].strip() for variable in SETTINGS
    }


@pytest.mark.parametrize("variable", SETTINGS)
def test_the_example_of_a_setting_sets_it_and_is_not_the_default(variable, write) -> None:
    write("")
    before = read()
    write(SETTINGS[variable][1] + "\n")
    assert not check_names().errors
    changed = {name for name in UserbotSettings.model_fields if getattr(read(), name) != getattr(before, name)}
    assert changed == {FIELDS[variable]}


def test_the_examples_fit_into_one_file_with_that_for_one_person(write) -> None:
    lines = [example for _, example, _ in SETTINGS.values() if not example.startswith("contacts")]
    person = CHAPTERS["Settings"].partition("```toml\n")[2].partition("```")[0]
    write("\n".join([*lines, person]))
    assert not check_names().errors
    contact = read().contacts["@anna"]
    assert None not in (contact.persona, contact.language, contact.prefix, contact.max_new_tokens)
    assert (contact.live, contact.approve) == (True, False)
    assert set(tomllib.loads(person)["contacts"]["@anna"]) == set(type(contact).model_fields)


def test_every_command_of_the_owners_is_in_the_table_with_examples_that_are_read() -> None:
    rows = re.findall(r"^\| `(/\w+)[^`]*` \| (.+?) \| ", CHAPTERS["Commands"], re.MULTILINE)
    assert [name for name, _ in rows] != []
    assert {name.removeprefix("/") for name, _ in rows} == set(COMMANDS)
    for name, examples in rows:
        for example in re.findall(r"`([^`]+)`", examples):
            parsed = parse_order(example)
            assert type(parsed).__name__.lower() == name.removeprefix("/"), example
            assert not isinstance(parsed, Misused | Unknown), example


def test_the_diagram_has_every_effect_of_a_users_message() -> None:
    diagram = CHAPTERS["What happens to a message"].partition("```mermaid")[2].partition("```")[0]
    shown = set(re.findall(r"\b[a-z_]+\b", re.sub(r"\{.*?\}", "", diagram)))
    assert [effect for effect in Effect if effect not in NOT_FOR_THE_DIAGRAM | shown] == []


def test_every_line_is_in_the_table_of_texts_with_its_variables() -> None:
    measure = parse((SHIPPED / f"{MEASURE}.ftl").read_text(encoding="utf-8"))
    lines = {name_of(one): set(variables_of(measure, one)) for one in measure if not one.startswith("-")}
    rows = CHAPTERS["Texts"].partition("| --- | --- |\n")[2].partition("\n\n")[0]
    listed = re.findall(r"`([a-z-]+)`(?: \(([$a-z, ]+)\))?[,|]", rows.replace(" |", "|"))
    assert {name: set(re.findall(r"\$(\w+)", variables)) for name, variables in listed} == lines
    assert len(listed) == len(lines)


def test_the_example_of_texts_can_be_said(write) -> None:
    write(CHAPTERS["Texts"].partition("```toml\n")[2].partition("```")[0])
    assert not check_names().errors
    with installed(own_texts(read())):
        assert say("en", "queue-questions", count=3) == "3 questions are waiting:"
        assert phrases.hint("en", "bot,") == "Ask me anything, e.g. bot, what's for dinner?"


def test_what_refused_people_see_is_quoted_as_it_is() -> None:
    text = " ".join(CHAPTERS["Who, how much, and when"].split())
    assert [line for reason in REFUSALS.values() if (line := phrases.refusal("en", reason)) not in text] == []


def test_the_silences_have_every_rule_and_everything_the_owner_does() -> None:
    silences = CHAPTERS["Silences"]
    words = {
        *BY_RULE,
        Effect.OWNER_TOOK_OVER,
        Effect.QUESTION_DELETED,
        Effect.RESTRICTED,
        Effect.CANCELLED,
        Effect.IGNORED_BUSY,
        "rejected",
        "expired",
    }
    assert [word for word in words if not re.search(rf"\b{word}\b", silences)] == []
