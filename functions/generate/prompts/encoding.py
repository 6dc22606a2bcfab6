"""Segments to token ids, so that somebody's words never become a control token."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

from functions.generate.prompts.formats import Segment
from functions.generate.prompts.plain_text import PlainTextEncoder
from functions.generate.prompts.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and for each one whether the assistant wrote it.

    `places`: for each one, the segment that it is of; one that two share is of the learned one, else of the later.
    """

    ids: list[int]
    learned: list[bool]
    places: list[int] = field(default_factory=list, compare=False)


class Encoder:
    """Encodes prompts for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        start = tokenizer.encode("", add_special_tokens=True, split_special_tokens=False)[:1]
        self._start = [token for token in start if token == tokenizer.bos_token_id]
        self._words = PlainTextEncoder(tokenizer)
        self._texts = (
            WholeTextEncoder(tokenizer.backend_tokenizer, self._words)
            if hasattr(tokenizer, "backend_tokenizer")
            else None
        )

    def encode(self, segments: Iterable[Segment], *, begin: bool) -> Encoded:
        """Encode what a chat template made as one text, as transformers does; and else, each piece for itself.

        `begin`: no template made it, so the tokenizer's beginning-of-text token is put first, if it uses one.
        """
        pieces = list(segments)
        tokens = self._apart(pieces) if begin or not self._texts else self._texts.encode(pieces)
        start = self._start if begin else []
        places = [0] * len(start) + [place for _, place in tokens]
        learned = [False] * len(start) + [pieces[place].learned for _, place in tokens]
        return Encoded([*start, *(token for token, _ in tokens)], learned, places)

    def _apart(self, pieces: Sequence[Segment]) -> list[tuple[int, int]]:
        tokens: list[tuple[int, int]] = []
        for (framing, _), group in groupby(range(len(pieces)), key=lambda n: (pieces[n].framing, pieces[n].learned)):
            places = list(group)
            text = "".join(pieces[place].text for place in places)
            ids = self._framing(text) if framing else self._words.encode(text)
            tokens += [(token, places[0]) for token in ids]
        return tokens

    def _framing(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False) if text else []


class WholeTextEncoder:
    """Encodes frames and words as one text, so that tokens are what transformers makes of it.

    Where that would turn words into a control token, or take one from a frame, words are encoded for themselves.
    """

    def __init__(self, backend: Any, words: PlainTextEncoder) -> None:
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
