"""docs/business.md lists every assumption with its page, and every reason for silence."""

import re
from pathlib import Path

from edge.business.check.assumptions import Assumption
from edge.business.reasons import Reason, reason_of

TEXT = (Path(__file__).parents[2] / "docs/business.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a chapter's table, without its head."""
    chapter = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in chapter.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line] for line in lines]


def test_every_assumption_is_in_the_table_as_the_check_reports_it_with_the_same_page() -> None:
    listed = {
        key.strip("`"): (says, re.search(r"\((.+)\)", page)[1]) for key, says, _, page in rows("Test the assumptions")
    }
    assert listed == {one.key: (one.says, one.page) for one in Assumption}


def test_every_reason_for_silence_is_in_the_table() -> None:
    table = {key.strip("`"): set(re.findall(r"`(\w+)`", errors)) for key, _, errors in rows("Limits and silences")}
    assert set(table) == set(Reason)
    for reason, errors in table.items():
        assert {reason_of(error, deletes="delete" in reason) for error in errors} == {reason}
