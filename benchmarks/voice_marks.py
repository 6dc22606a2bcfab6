"""Two readers' marks together: of each answer the worse one counts, and how far the readers agree."""

import re
from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from benchmarks.voice_sheet import Place
from events.errors import TimokhaError

_LINE = re.compile(r"(\d+)[.:)]?\s+(sensible|odd|broken)\b\s*(?:#.*)?", re.IGNORECASE)
_SHOWN = 10
"""Numbers in an error."""


class Mark(IntEnum):
    """The greater, the worse."""

    SENSIBLE = 0
    ODD = 1
    BROKEN = 2

    def __str__(self) -> str:
        return self.name.lower()


Marks = Mapping[int, Mark]
"""By the sheet's numbers."""


def read_marks(path: Path, numbers: set[int]) -> dict[int, Mark]:
    """One reader's. Raises TimokhaError, one line, unless each of `numbers` has one mark."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TimokhaError(f"{path} can't be read ({error}): it has a line for each answer, e.g. 17 odd") from None
    marks: dict[int, Mark] = {}
    for place, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            number, mark = _read(line, f"{path}, line {place}")
            if number in marks or number not in numbers:
                why = "is marked twice" if number in marks else "is not on the sheet"
                raise TimokhaError(f"{path}, line {place}: {number} {why}")
            marks[number] = mark
    if missing := sorted(numbers - marks.keys()):
        some = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        raise TimokhaError(f"{path} has no mark for {len(missing)} of {len(numbers)} answers ({some}): add them")
    return marks


def _read(line: str, place: str) -> tuple[int, Mark]:
    found = _LINE.fullmatch(line)
    if not found:
        raise TimokhaError(f"{place}: {line[:40]!r} is no mark: write number and sensible, odd or broken, e.g. 17 odd")
    return int(found[1]), Mark[found[2].upper()]


def judged(key: Mapping[int, Place], one: Marks, other: Marks) -> dict[str, Any]:
    """Each system's numbers of marks, the worse of two, and the readers' agreement."""
    worse = worst(one, other)
    systems = sorted({place.system for place in key.values()})
    counts = {
        system: Counter(worse[number] for number, place in key.items() if place.system == system) for system in systems
    }
    return {
        **{system: {str(mark): counts[system][mark] for mark in Mark} for system in systems},
        "agreement": round(agreement(one, other), 3),
        "kappa": round(kappa(one, other), 3),
    }


def worst(one: Marks, other: Marks) -> dict[int, Mark]:
    return {number: max(mark, other[number]) for number, mark in one.items()}


def agreement(one: Marks, other: Marks) -> float:
    """The share of answers with the same mark twice."""
    return sum(mark is other[number] for number, mark in one.items()) / len(one)


def kappa(one: Marks, other: Marks) -> float:
    """Cohen's: 0 is what chance would give readers who use each mark as often as these do, 1 is always the same."""
    ours, theirs = Counter(one.values()), Counter(other.values())
    by_chance = sum(ours[mark] * theirs[mark] for mark in Mark) / len(one) ** 2
    return 1.0 if by_chance == 1 else (agreement(one, other) - by_chance) / (1 - by_chance)
