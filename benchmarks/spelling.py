"""How to spell what a narrowed model can't write as one token: with the fewest, commonest pieces it has kept."""

import re
from collections.abc import Collection, Iterable, Mapping

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE = "\u2581"
_PIECE, _CHARACTER, _ONE_BYTE = 10, 16, 20
"""What each costs, in bits: about what a rare token takes."""
_LONGEST = 24
"""Characters of a piece that is tried."""


class Speller:
    """For SentencePiece's vocabularies with tokens for single bytes."""

    def __init__(self, pieces: Mapping[str, int], kept: Collection[int]) -> None:
        """`pieces`: the whole vocabulary. Special tokens in `kept` must not be among the pieces' texts."""
        self._kept = frozenset(kept)
        self._texts = {token: piece for piece, token in pieces.items()}
        self._bytes = {int(found[1], 16): token for piece, token in pieces.items() if (found := _BYTE.fullmatch(piece))}
        single = set(self._bytes.values())
        self._pieces = {piece: token for piece, token in pieces.items() if token in self._kept and token not in single}

    def spelled(self, tokens: Iterable[int]) -> list[int]:
        """The same text in tokens that are kept."""
        return [piece for token in tokens for piece in ([token] if token in self._kept else self.spelling(token))]

    def spelling(self, token: int) -> list[int]:
        """The cheapest of all ways to write one token with those that are kept."""
        text = self._texts[token]
        best: list[tuple[int, list[int]]] = [(0, [])]
        for end in range(1, len(text) + 1):
            ways = ((start, self._step(text[start:end])) for start in range(max(0, end - _LONGEST), end))
            best.append(min((best[start][0] + cost, best[start][1] + ids) for start, (cost, ids) in ways if ids))
        return best[-1][1]

    def _step(self, text: str) -> tuple[int, list[int]]:
        """What it costs to write `text` in one step; no tokens if it can't be."""
        if text in self._pieces:
            return (_PIECE if len(text) > 1 else _CHARACTER), [self._pieces[text]]
        if len(text) > 1:
            return 0, []
        single = [self._bytes[byte] for byte in text.replace(_SPACE, " ").encode()]
        return _ONE_BYTE * len(single), single
