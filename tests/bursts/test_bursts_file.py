"""The invented bursts: each can have been sent as it stands, and the file is what its description says."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent / "bursts.jsonl"
BURSTS = [json.loads(line) for line in FILE.read_text(encoding="utf-8").split("\n") if line]
FIELDS = {
    "message": {"at", "kind", "id", "text"},
    "edit": {"at", "kind", "id", "text"},
    "delete": {"at", "kind", "id"},
    "typing": {"at", "kind"},
}
TYPING_HOLDS = 6.0
"""Seconds."""
AGAIN = 4.0
"""Seconds: a client repeats the action about every 5, anew for each message."""
SHORT = 1.5
"""Seconds between two pieces without a sign of typing, as `USERBOT_DEBOUNCE` is by default."""
LONGEST = 60.0
"""Seconds."""


def of_kind(burst: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in burst["events"] if event["kind"] == kind]


@pytest.mark.parametrize("burst", BURSTS, ids=range(len(BURSTS)))
def test_a_burst_is_what_a_client_can_send(burst: dict[str, Any]) -> None:
    assert burst.keys() == {"language", "events"}
    texts: dict[int, str] = {}
    assert [event["id"] for event in of_kind(burst, "message")] == [*range(1, len(of_kind(burst, "message")) + 1)]
    for event in burst["events"]:
        assert event.keys() == FIELDS[event["kind"]]
        match event["kind"]:
            case "message":
                texts[event["id"]] = event["text"]
            case "edit":
                assert texts[event["id"]] != event["text"]
                texts[event["id"]] = event["text"]
            case "delete":
                del texts[event["id"]]
    assert texts
    assert all(text == text.strip() != "" for text in texts.values())
    times = [event["at"] for event in burst["events"]]
    assert times[0] == 0
    assert times == sorted(times)
    for before, after in pairwise(event for event in burst["events"] if event["kind"] in ("typing", "message")):
        assert {before["kind"], after["kind"]} != {"typing"} or after["at"] - before["at"] > AGAIN


def test_there_are_as_many_of_each_kind_as_the_description_says() -> None:
    assert Counter(burst["language"] for burst in BURSTS) == {"ru": 120, "en": 80}
    sizes = Counter(len(of_kind(burst, "message")) for burst in BURSTS)
    assert (sizes[1], min(sizes), max(sizes)) == (60, 1, 7)
    single = [of_kind(burst, "message")[0]["text"] for burst in BURSTS if len(of_kind(burst, "message")) == 1]
    assert sum(text.endswith("?") for text in single) == 52
    assert sum(len(of_kind(burst, "edit")) for burst in BURSTS) == 15
    assert sum(burst["events"][-1]["kind"] == "edit" for burst in BURSTS) == 6
    assert sum(len(of_kind(burst, "delete")) for burst in BURSTS) == 10


def test_a_text_is_written_in_the_language_that_it_is_said_to_be_in() -> None:
    for burst in BURSTS:
        letters = "".join(event["text"] for event in of_kind(burst, "message"))
        cyrillic = sum("а" <= letter.lower() <= "я" or letter in "ёЁ" for letter in letters)
        latin = sum("a" <= letter.lower() <= "z" for letter in letters)
        assert (cyrillic > latin) == (burst["language"] == "ru"), letters


def test_seven_bursts_have_a_gap_that_nothing_bridges() -> None:
    assert sum(not is_one(burst) for burst in BURSTS) == 7


def is_one(burst: dict[str, Any]) -> bool:
    """Return whether each piece follows at once, or while Telegram shows that the person is typing."""
    first: float = of_kind(burst, "message")[0]["at"]
    shown_until = first + SHORT
    for event in burst["events"]:
        at = event["at"]
        if event["kind"] == "typing" and first <= at <= shown_until:
            shown_until = max(shown_until, at + TYPING_HOLDS)
        elif event["kind"] == "message" and at > first:
            if at > shown_until or at - first > LONGEST:
                return False
            shown_until = at + SHORT
    return True
