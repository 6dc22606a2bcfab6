"""docs/business.md lists every assumption with its page, and every reason for silence."""

import re
from pathlib import Path

from edge.business.check.assumptions import Assumption
from edge.business.reasons import Reason, reason_of

ROOT = Path(__file__).parents[2]
EVENT = re.compile(r'log\.(?:debug|info|warning|error)\(\s*"([a-z_.]+)"')
ELSEWHERE = {"message.received", "settings.ignored"}
"""Events that the userbot logs too."""


def rows(heading: str, page: str = "docs/business.md") -> list[list[str]]:
    """Return the cells of a chapter's table, without its head."""
    chapter = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
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


def test_every_event_in_the_log_is_in_the_table_for_operators() -> None:
    table = rows("Business connections in the log", "docs/operations.md")
    listed = {event for events, _ in table for event in re.findall(r"`([\w.]+)`", events)}
    sources = [path.read_text() for path in (ROOT / "edge/business").rglob("*.py")]
    assert listed == {event for source in sources for event in EVENT.findall(source)} - ELSEWHERE
