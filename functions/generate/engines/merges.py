"""The merges of a BPE tokenizer: derived from a vocabulary with scores, and without those that no text ever uses."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

Merge = tuple[str, str]

BYTE: Final = re.compile("<0x[0-9A-F]{2}>")
"""The name of a token that stands for a byte of a character that has no token."""
_NO_MERGE = 1 << 60
"""A rank behind all others."""


def derived(scores: Mapping[str, float]) -> list[Merge]:
    """Return each way to join two tokens of `scores` to a third, in the order in which SentencePiece prefers them.

    The highest score first; of equal ones, the longest left part, then the longest right part.
    """
    found = [
        (score, cut, len(token) - cut, token[:cut], token[cut:])
        for token, score in scores.items()
        for cut in range(len(token) - 1, 0, -1)
        if token[:cut] in scores and token[cut:] in scores
    ]
    found.sort(key=lambda merge: merge[:3], reverse=True)
    return [(left, right) for *_, left, right in found]


def needed(merges: Sequence[Merge], fallbacks: frozenset[str] = frozenset()) -> list[Merge]:
    """Return those of `merges`, in their order, that the encoding of some text can use.

    What becomes one token was never joined with its neighbours before, so it was put together as if it stood alone:
    of the ways to make a token, encoding uses the one that comes last when its spelling is encoded by itself.
    `fallbacks` are the tokens of bytes, which stand for other text than their spelling: all their merges are kept.
    """
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    ways: dict[str, set[int]] = {}
    for left, right in ranks:
        ways.setdefault(left + right, set()).add(len(left))
    kept = {(token[:cut], token[cut:]) for token, cuts in ways.items() for cut in _last(token, cuts, ranks)}
    kept.update(merge for merge in ranks if not fallbacks.isdisjoint(merge))
    return [merge for rank, merge in enumerate(merges) if merge in kept and ranks[merge] == rank]


def _last(token: str, cuts: set[int], ranks: Mapping[Merge, int]) -> set[int]:
    """The one of `cuts` at which `token`'s two last parts meet, or none. One that is alone is not tried."""
    parts = list(token)
    places = list(range(len(token) + 1))
    left = set(cuts)
    pairs = [ranks.get(pair, _NO_MERGE) for pair in pairwise(parts)]
    while len(left) > 1:
        best = min(pairs)
        if best == _NO_MERGE:
            return set()
        at = pairs.index(best)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        left.discard(places.pop(at + 1))
        del pairs[at]
        if at:
            pairs[at - 1] = ranks.get((parts[at - 1], parts[at]), _NO_MERGE)
        if at < len(pairs):
            pairs[at] = ranks.get((parts[at], parts[at + 1]), _NO_MERGE)
    return left
