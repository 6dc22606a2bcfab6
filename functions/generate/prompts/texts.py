"""Frames and words as token ids of one text, as transformers encodes a chat."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from functions.generate.prompts.formats import Segment
from functions.generate.prompts.words import Words


class Texts:
    """Encodes frames and words as one text, so that tokens are what transformers makes of it.

    Where that would turn words into a control token, or take one from a frame, words are encoded for themselves.
    """

    def __init__(self, backend: Any, words: Words) -> None:
        """`backend`: a `tokenizers.Tokenizer`."""
        self._backend = backend
        self._words = words
        self._alone = lru_cache(256)(self._controls_of)

    def encode(self, pieces: Sequence[Segment]) -> list[tuple[int, int]]:
        """Tokens, each with the number of its segment."""
        apart = {n for n, piece in enumerate(pieces) if not piece.framing and self._words.spell(piece.text)}
        while True:
            runs = [list(run) for _, run in groupby(range(len(pieces)), key=lambda n: n if n in apart else -1)]
            tokens = [token for run in runs for token in self._run(pieces, run, apart)]
            wrong = self._wrong(pieces, tokens) - apart
            if not wrong:
                return [
                    (token, _owner(pieces, places)) for token, places in tokens if self._stays(pieces, token, places)
                ]
            apart |= wrong

    def _run(
        self, pieces: Sequence[Segment], run: Sequence[int], apart: Collection[int]
    ) -> Iterator[tuple[int, list[int]]]:
        """Tokens, each with the numbers of the segments that it covers."""
        if run[0] in apart:
            yield from ((token, list(run)) for token in self._words.encode(pieces[run[0]].text))
            return
        owners = [place for place in run for _ in pieces[place].text]
        if not owners:
            return
        self._backend.encode_special_tokens = False
        encoded = self._backend.encode("".join(pieces[place].text for place in run), add_special_tokens=False)
        for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            yield token, sorted(set(owners[start:end])) or [owners[min(start, len(owners) - 1)]]

    def _wrong(self, pieces: Sequence[Segment], tokens: Iterable[tuple[int, list[int]]]) -> set[int]:
        """The words that have a token that is not theirs; all of them if a frame lacks one."""
        found: dict[int, list[int]] = defaultdict(list)
        near: dict[int, set[int]] = defaultdict(set)
        for token, places in tokens:
            for place in places:
                found[place].append(token)
                near[place].update(places)
        words = {place for place, piece in enumerate(pieces) if not piece.framing}
        controls = {place: self._controls(found[place]) for place in found.keys() - words}
        if any(
            controls.get(place, 0) != self._alone(piece.text) for place, piece in enumerate(pieces) if piece.framing
        ):
            return words
        # The bytes of what no token is for may be those of a frame too.
        texts = {place: "".join(pieces[other].text for other in near[place]) for place in words}
        return {place for place in words if self._words.has_others(found[place], texts[place])}

    def _controls_of(self, frame: str) -> int:
        self._backend.encode_special_tokens = False
        return self._controls(self._backend.encode(frame, add_special_tokens=False).ids)

    def _controls(self, tokens: Iterable[int]) -> int:
        return sum(self._words.is_control(token) and not self._words.is_unknown(token) for token in tokens)

    def _stays(self, pieces: Sequence[Segment], token: int, places: Sequence[int]) -> bool:
        """What the tokenizer can't write of somebody's words is left out."""
        return not self._words.is_unknown(token) or all(pieces[place].framing for place in places)


def _owner(pieces: Sequence[Segment], places: Sequence[int]) -> int:
    return next((place for place in places if pieces[place].learned), places[-1])
