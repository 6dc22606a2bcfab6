"""Survivors are written so that a reader finds them, and what docs/mutants.md lists is still in the code."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.survivors import Survivor, changed, listed, where

ROOT = Path(__file__).parents[2]
LISTED = listed((ROOT / "docs/mutants.md").read_text(encoding="utf-8"))
DIFF = """\
--- edge/userbot/rules.py
+++ edge/userbot/rules.py
@@ -1,3 +1,3 @@
 def is_full(answers: int, limit: int) -> bool:
-    return 0 < limit <= answers
+    return 0 < limit < answers
"""


def test_a_survivor_is_named_by_its_function_and_its_change():
    survivor = Survivor.of("edge.userbot.rules.x_is_full__mutmut_1", DIFF)
    assert (
        str(survivor) == "- `edge.userbot.rules.is_full`: `return 0 < limit <= answers` → `return 0 < limit < answers`"
    )


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("edge.userbot.rules.x__is_full__mutmut_12", "edge.userbot.rules._is_full"),
        ("edge.userbot.rules.xǁRulesǁof__mutmut_1", "edge.userbot.rules.Rules.of"),
        ("edge.userbot.rules.xǁ_Partsǁ__init____mutmut_3", "edge.userbot.rules._Parts.__init__"),
    ],
)
def test_a_function_is_named_as_in_the_code(name, function):
    assert where(name) == function


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("x = 1", "x = 2", ("x = 1", "x = 2")),
        ("x = x + 1", "x = 1", ("x = x + 1", "x = 1")),
        ("x = f(1)", "x = f(1, )", ("x = f(1)", "x = f(1, )")),
        (
            "return policy.having(paused_since=since, paused_until=until, paused_by=BY_OWNER)",
            "return policy.having(paused_since=since, paused_until=None, paused_by=BY_OWNER)",
            ("since, paused_until=until, paused_by=BY_OWNER", "since, paused_until=None, paused_by=BY_OWNER"),
        ),
    ],
)
def test_of_a_long_line_only_what_is_around_the_change_is_shown(before, after, shown):
    assert changed(before, after) == shown


def test_a_page_is_read_as_it_is_written():
    rows = [Survivor("a.f", "x < y", "x <= y"), Survivor("a.B.g", "f(1, 2)", "f(1, )"), Survivor("a.f", "seen=(),", "")]
    assert listed("\n".join(["# Title", *map(str, rows), "- `a.f`: prose"])) == rows


def code_of(survivor: Survivor) -> str:
    """The lines of a survivor's function, as one."""
    module = next(path for path in _modules(survivor.where) if path.exists())
    text = module.read_text(encoding="utf-8")
    names = survivor.where.removeprefix(".".join(module.relative_to(ROOT).with_suffix("").parts) + ".").split(".")
    node: ast.AST = ast.parse(text)
    for name in names:
        node = next(one for one in ast.iter_child_nodes(node) if getattr(one, "name", None) == name)
    return " ".join(line.strip() for line in text.splitlines()[node.lineno - 1 : node.end_lineno])


def _modules(name: str):
    parts = name.split(".")
    return [ROOT.joinpath(*parts[:end]).with_suffix(".py") for end in range(len(parts) - 1, 0, -1)]


@pytest.mark.parametrize("survivor", LISTED, ids=[f"{one.where}-{at}" for at, one in enumerate(LISTED)])
def test_what_the_page_lists_is_still_in_the_code(survivor):
    assert survivor.before in code_of(survivor)


def test_no_survivor_is_listed_twice():
    assert [row for row, count in Counter(LISTED).items() if count > 1] == []
