"""Each command that the documents show is in commands.toml once, with a test that is there or a reason."""

import ast
from collections import Counter

import pytest

from tests.docs.listed import listed
from tests.docs.shown import ROOT, blocks, every_command

ENTRIES = listed()


def test_every_command_is_listed_with_the_test_that_runs_it_or_the_reason_why_none_does():
    there = {command for entry in ENTRIES for command in entry.commands}
    missing = {command: places for command, places in every_command().items() if command not in there}
    assert missing == {}, "add it to tests/docs/commands.toml"


def test_nothing_is_listed_that_no_document_shows_or_that_is_listed_elsewhere():
    counted = Counter(command for entry in ENTRIES for command in entry.commands)
    assert [command for command in counted if command not in every_command()] == []
    assert [command for command, times in counted.items() if times > 1] == []


def test_every_entry_has_a_test_or_a_reason_and_not_both():
    assert [entry for entry in ENTRIES if bool(entry.by) == bool(entry.because)] == []
    assert [entry for entry in ENTRIES if entry.how and not entry.by] == []


@pytest.mark.parametrize("node", sorted({entry.by for entry in ENTRIES if entry.by}))
def test_the_test_that_runs_it_is_there(node):
    file, _, name = node.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_a_block_of_each_kind_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.docs.shown.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ make demo    # a chat\nyou> hello\n```\n- a list\n\n"
        "    timokha a \\\n      b\n    for x in y; do   # each\n      z\n    done\n\n"
        "```text\nmake none\n```\n  ```sh\n  cat <<'END'\n  [a]\n  END\n  A=b\n  ```\nand `make nothing`\n"
    )
    assert [block.commands for block in blocks(page)] == [
        ("make demo",),
        ("timokha a b", "for x in y; do\nz\ndone"),
        ("cat <<'END'\n[a]\nEND", "A=b"),
    ]
