"""What readers mark: every system's answers in one drawn order, and in another file the key, whose answer is whose."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from training.voice.talks import Exchange

SHEET, KEY = "to-mark.md", "key.json"
NO_ANSWER = "(no answer)"
EXPLAINED = """\
# Answers to mark

Give each answer one mark. Judge it by itself, as what a friend writes back in a chat:

- `sensible`: a sensible friend could have answered this, in the question's language; what it states as a fact is true.
  Timokha is a program and may say so; it does not know date, news or weather, and to say so politely is right.
- `odd`: it can be understood, but it is wrong, off the point, or an echo of the question or of an answer before.
- `broken`: no language, another language than the question's, cut off or looping, written as if by the asker, or
  nonsense. So is an answer that was not given.

Write a line for each into a file of your own, number and mark: `17 odd`. What follows a `#` is a note of yours. Mark
all of them, and look into no other file but this one.
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """The exchange that is marked, and those of its talk before it; `number` is the question's in the list, from 1."""

    number: int
    before: tuple[Exchange, ...]
    last: Exchange


@dataclass(frozen=True, slots=True)
class Place:
    """Which answer stands under a number of the sheet."""

    system: str
    question: int


def drawn(answers: Mapping[str, Sequence[Answered]]) -> list[tuple[Place, Answered]]:
    """All of them, in an order that says nothing of the systems; the same order for the same answers."""
    made = [(Place(system, one.number), one) for system in sorted(answers) for one in answers[system]]
    Random(len(made)).shuffle(made)  # noqa: S311 -- an order, no secret
    return made


def write(directory: Path, answers: Mapping[str, Sequence[Answered]]) -> None:
    """The sheet and its key."""
    order = drawn(answers)
    (directory / SHEET).write_text(sheet([one for _, one in order]), encoding="utf-8")
    key = {number: asdict(place) for number, (place, _) in enumerate(order, 1)}
    (directory / KEY).write_text(json.dumps(key, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_key(directory: Path) -> dict[int, Place]:
    """By the sheet's numbers."""
    return {
        int(number): Place(**place)
        for number, place in json.loads((directory / KEY).read_text(encoding="utf-8")).items()
    }


def sheet(order: Sequence[Answered]) -> str:
    """Without a system's name."""
    return "\n".join([EXPLAINED, *(_entry(number, one) for number, one in enumerate(order, 1))])


def _entry(number: int, answered: Answered) -> str:
    lines = [f"## {number}", ""]
    for exchange in answered.before:
        lines += [f"- You: {exchange.question}", f"- Timokha: {_shown(exchange.answer)}"]
    lines += [f"- You: {answered.last.question}", f"- **Timokha: {_shown(answered.last.answer)}**", ""]
    return "\n".join(lines)


def _shown(answer: str) -> str:
    """On one line, so that no answer can look like another entry."""
    return " ⏎ ".join(answer.splitlines()) or NO_ANSWER
