"""Suggest the known name that a mistyped one is nearest to."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

NEAR = 0.6
"""Similarity from which a name counts as mistyped: difflib's own default."""
ONLY_PREFIX_WRONG = 0.65
SHORTENED = 0.7
WITH_PREFIX_ADDED = 0.9
DISTINCTIVE = 3
"""Letters below which a match may be a coincidence."""
MAX_NAME = 100
"""Characters that are compared; no known name is longer."""
MAX_NAMED = 20
"""Items listed in one line; a file with more problems is probably no settings file."""
SAME_WORD = 0.65
"""Similarity from which two words count as one with a typo: URI and URL, but not FILE and LEVEL."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to `name`, None if none is similar enough."""
    name = name[:MAX_NAME]
    found, best = None, 0.0
    for other in sorted(known):
        near = _name_similarity(name.lower(), other.lower())
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
        sorted(one) == sorted(two) or _similarity(one, two) >= SAME_WORD for one, two in zip(words, others, strict=True)
    )


def did_you_mean(name: str | None) -> str:
    """Return the suggestion to append to an error, empty without a `name`."""
    return f" (did you mean {name}?)" if name else ""


def short_list(items: Sequence[str]) -> str:
    """Return `items` in one line: all, or the first `MAX_NAMED` and the number of the others."""
    more = len(items) - MAX_NAMED
    return "; ".join([*items[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _name_similarity(name: str, other: str) -> float:
    """Return the similarity. After a common first word, which says little, the rest counts for half of it."""
    first, _, rest = name.partition("_")
    other_first, _, other_rest = other.partition("_")
    near = _similarity(name, other)
    if first == other_first and rest and other_rest:
        near = (near + _similarity(rest, other_rest)) / 2
    if rest == other:
        return max(near, WITH_PREFIX_ADDED)
    if len(name) >= DISTINCTIVE and other.startswith(name):
        return max(near, SHORTENED)
    if len(rest) >= DISTINCTIVE and rest == other_rest:
        return max(near, ONLY_PREFIX_WRONG)
    return near


def _similarity(name: str, other: str) -> float:
    return SequenceMatcher(None, other, name, autojunk=False).ratio()
