"""The nearest right name for one that was mistyped."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

NEAR = 0.6
"""From which likeness on a name is taken for a mistyped one: difflib's own default."""
RIGHT_BUT_FOR_ITS_START = 0.65
SHORTENED = 0.7
LONGER_THAN_NEEDED = 0.9
TELLING = 3
"""So many letters say what is meant; fewer can be a coincidence."""
MAX_NAME = 100
"""Longer than any name, and soon compared."""
MAX_NAMED = 20
"""So many complaints are read; a file that has more is another kind of file."""
SAME_WORD = 0.65
"""From which likeness on two words are one with a slip of the fingers: URI and URL, but not FILE and LEVEL."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is most likely meant to be, None if none is near."""
    name = name[:MAX_NAME]
    found, best = None, 0.0
    for other in sorted(known):
        near = _nearness(name.lower(), other.lower())
        if near >= NEAR and near > best:
            found, best = other, near
    return found


def is_slip(name: str, other: str) -> bool:
    """Return whether `name` is `other` with its words mistyped, or run together."""
    if len(name) > MAX_NAME:
        return False
    words, others = name.upper().split("_"), other.upper().split("_")
    if len(words) != len(others):
        return "".join(words) == "".join(others)
    return all(
        sorted(one) == sorted(two) or _likeness(one, two) >= SAME_WORD for one, two in zip(words, others, strict=True)
    )


def did_you_mean(name: str | None) -> str:
    """Return the end of a complaint: the right name, if there is one."""
    return f" (did you mean {name}?)" if name else ""


def short_list(complaints: Sequence[str]) -> str:
    """Return all of them in one line, or the first and how many more there are."""
    more = len(complaints) - MAX_NAMED
    return "; ".join([*complaints[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _nearness(name: str, other: str) -> float:
    """Return the likeness, for half of it that of the parts behind a common first word, which says little."""
    first, _, rest = name.partition("_")
    other_first, _, other_rest = other.partition("_")
    near = _likeness(name, other)
    if first == other_first and rest and other_rest:
        near = (near + _likeness(rest, other_rest)) / 2
    if rest == other:
        return max(near, LONGER_THAN_NEEDED)
    if len(name) >= TELLING and other.startswith(name):
        return max(near, SHORTENED)
    if len(rest) >= TELLING and rest == other_rest:
        return max(near, RIGHT_BUT_FOR_ITS_START)
    return near


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, other, name, autojunk=False).ratio()
