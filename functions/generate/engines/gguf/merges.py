"""Derive the merges of a BPE tokenizer from a vocabulary with scores, and drop merges that no text uses."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Merge = tuple[str, str]
Numbers = NDArray[np.int64]

BYTE: Final = re.compile("<0x[0-9A-F]{2}>")
"""The name of a token that stands for a byte of a character that has no token."""
_NO_MERGE = 1 << 60
"""A rank behind all others."""


@dataclass(frozen=True, slots=True)
class Merges:
    """Pairs in the order in which encoding prefers them, and the results, as positions in `tokens`."""

    tokens: Sequence[str]
    left: Numbers
    right: Numbers
    made: Numbers

    def as_texts(self) -> list[Merge]:
        sides = zip(self.left.tolist(), self.right.tolist(), strict=True)
        return [(self.tokens[left], self.tokens[right]) for left, right in sides]

    def select(self, chosen: NDArray[Any]) -> "Merges":
        return Merges(self.tokens, self.left[chosen], self.right[chosen], self.made[chosen])


def derive_merges(scores: Mapping[str, float]) -> Merges:
    """Return each way to join two tokens of `scores` to a third, in the order in which SentencePiece prefers them.

    The highest score first; of equal ones, the longest left part, then the longest right part.
    """
    numbers = {token: number for number, token in enumerate(scores)}
    number_of = numbers.get
    found = [
        (before, behind, number, cut, len(token) - cut)
        for token, number in numbers.items()
        for cut in range(1, len(token))
        if (before := number_of(token[:cut])) is not None and (behind := number_of(token[cut:])) is not None
    ]
    left, right, made, first, second = np.array(found, np.int64).reshape(-1, 5).T
    score = np.fromiter(scores.values(), np.float64, len(scores))[made]
    return Merges([*scores], left, right, made).select(np.lexsort((-second, -first, -score)))


def index_merges(merges: Sequence[Merge]) -> Merges:
    """Return `merges` with numbers for tokens; of repeated ones, the last counts."""
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    found = [(left, right, left + right) for rank, (left, right) in enumerate(merges) if ranks[left, right] == rank]
    tokens = dict.fromkeys(token for merge in found for token in merge)
    numbers = {token: number for number, token in enumerate(tokens)}
    places = [(numbers[left], numbers[right], numbers[made]) for left, right, made in found]
    return Merges([*tokens], *np.array(places, np.int64).reshape(-1, 3).T)


def drop_unused_merges(merges: Merges, fallbacks: Collection[str] = ()) -> Merges:
    """Return those of `merges` that the encoding of some text can use.

    What becomes one token was never joined with its neighbours before, so it was put together as if it stood alone:
    of the ways to make a token, encoding uses the one that comes last when its spelling is encoded by itself.
    `fallbacks` are the tokens of bytes, which stand for other text than their spelling: all their merges are kept.
    """
    bytes_of = [number for number, token in enumerate(merges.tokens) if token in fallbacks]
    kept = np.isin(merges.left, bytes_of) | np.isin(merges.right, bytes_of)
    ways = np.bincount(merges.made, minlength=len(merges.tokens))
    kept |= ways[merges.made] == 1
    several = sorted(np.flatnonzero(ways > 1).tolist(), key=lambda token: len(merges.tokens[token]))
    pairs = _Pairs(merges)
    for _, tokens in groupby(several, key=lambda token: len(merges.tokens[token])):
        for ranks in _last(merges, pairs, np.array([*tokens], np.int64)):
            kept[ranks] = True
    return merges.select(kept)


class _Pairs:
    """Finds the ranks of many pairs at once."""

    def __init__(self, merges: Merges) -> None:
        self._merges = merges
        self._letters = {token: number for number, token in enumerate(merges.tokens) if len(token) == 1}
        self._count = len(merges.tokens) + 1
        keys = self._keys(merges.left, merges.right)
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]

    def ranks(self, parts: Numbers) -> Numbers:
        """Return the rank of each pair of neighbours in each row."""
        keys = self._keys(parts[:, :-1], parts[:, 1:])
        places = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[places] == keys, self._order[places], _NO_MERGE)

    def letters(self, tokens: Numbers) -> Numbers:
        """Return the letters of each token; a letter that no merge has gets a number that no token has."""
        unknown = self._count - 1
        spellings = (self._merges.tokens[token] for token in tokens.tolist())
        return np.array(
            [[self._letters.get(letter, unknown) for letter in spelling] for spelling in spellings], np.int64
        )

    def _keys(self, left: Numbers, right: Numbers) -> Numbers:
        return left * self._count + right


def _last(merges: Merges, pairs: _Pairs, tokens: Numbers) -> Iterator[Numbers]:
    """Yield the ranks of the last merges of `tokens`, which are of one length, by encoding their spellings.

    `ways` are the ranks of the merges that would be the last at each place between two parts. Where a single one is
    left, it is the one, if the token comes about at all.
    """
    parts = pairs.letters(tokens)
    ways = _ways(merges, tokens, parts.shape[1])
    while len(parts):
        left = (ways < _NO_MERGE).sum(axis=1)
        yield ways[left == 1].min(axis=1, initial=_NO_MERGE)
        ranks = pairs.ranks(parts)
        goes_on = (left > 1) & (ranks.min(axis=1) < _NO_MERGE)
        parts, ways, ranks = parts[goes_on], ways[goes_on], ranks[goes_on]
        at = ranks.argmin(axis=1)[:, None]
        np.put_along_axis(parts, at, merges.made[np.take_along_axis(ranks, at, axis=1)], axis=1)
        parts, ways = _without(parts, at + 1), _without(ways, at)


def _ways(merges: Merges, tokens: Numbers, length: int) -> Numbers:
    """Return the rank of the merge at each position of each token."""
    rows = np.full(len(merges.tokens), -1)
    rows[tokens] = np.arange(len(tokens))
    ranks = np.flatnonzero(rows[merges.made] >= 0)
    cuts = np.array([len(merges.tokens[left]) for left in merges.left[ranks].tolist()])
    ways = np.full((len(tokens), length - 1), _NO_MERGE)
    ways[rows[merges.made[ranks]], cuts - 1] = ranks
    return ways


def _without(rows: Numbers, places: NDArray[np.intp]) -> Numbers:
    """Return `rows`, each without the entry at its position."""
    count, width = rows.shape
    left: Numbers = rows[np.arange(width) != places].reshape(count, width - 1)
    return left
