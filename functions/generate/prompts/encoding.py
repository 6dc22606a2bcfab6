"""Encode segments as token ids, so that what people write never becomes a control token."""

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
    """Token ids, and for each one whether it is learned.

    `places`: the number of each token's segment; of a token that two segments share, the learned one, else the later.
    """

    ids: list[int]
    learned: list[bool]
    places: list[int] = field(default_factory=list, compare=False)


class Encoder:
    """Encodes prompts for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        first = tokenizer.encode("", add_special_tokens=True, split_special_tokens=False)[:1]
        self._start = [token for token in first if token == tokenizer.bos_token_id]
        self._plain = PlainTextEncoder(tokenizer)
        self._whole = (
            WholeTextEncoder(tokenizer.backend_tokenizer, self._plain)
            if hasattr(tokenizer, "backend_tokenizer")
            else None
        )

    def encode(self, segments: Iterable[Segment], *, add_bos: bool) -> Encoded:
        """Encode the output of a chat template as one text, as transformers does, and anything else piece by piece.

        `add_bos`: no template made it, so put the tokenizer's beginning-of-text token first, if it has one.
        """
        pieces = list(segments)
        tokens = self._piecewise(pieces) if add_bos or not self._whole else self._whole.encode(pieces)
        start = self._start if add_bos else []
        places = [0] * len(start) + [place for _, place in tokens]
        learned = [False] * len(start) + [pieces[place].learned for _, place in tokens]
        return Encoded([*start, *(token for token, _ in tokens)], learned, places)

    def _piecewise(self, pieces: Sequence[Segment]) -> list[tuple[int, int]]:
        tokens: list[tuple[int, int]] = []
        for (framing, _), group in groupby(range(len(pieces)), key=lambda n: (pieces[n].framing, pieces[n].learned)):
            places = list(group)
            text = "".join(pieces[place].text for place in places)
            ids = self._framing(text) if framing else self._plain.encode(text)
            tokens += [(token, places[0]) for token in ids]
        return tokens

    def _framing(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False) if text else []


class WholeTextEncoder:
    """Encodes the frame and people's text as one text, with the same tokens as transformers.

    Where that would turn people's text into a control token, or lose one of the frame, encode that text separately.
    """

    def __init__(self, backend: Any, plain: PlainTextEncoder) -> None:
        """`backend`: a `tokenizers.Tokenizer`."""
        self._backend = backend
        self._plain = plain
        self._frame_controls = lru_cache(256)(self._count_frame_controls)

    def encode(self, pieces: Sequence[Segment]) -> list[tuple[int, int]]:
        """Return the tokens, each with the number of its segment."""
        separate = {n for n, piece in enumerate(pieces) if not piece.framing and self._plain.contains_name(piece.text)}
        while True:
            runs = [list(run) for _, run in groupby(range(len(pieces)), key=lambda n: n if n in separate else -1)]
            tokens = [token for run in runs for token in self._run(pieces, run, separate)]
            corrupted = self._corrupted(pieces, tokens) - separate
            if not corrupted:
                return [
                    (token, _owner(pieces, places)) for token, places in tokens if self._is_kept(pieces, token, places)
                ]
            separate |= corrupted

    def _run(
        self, pieces: Sequence[Segment], run: Sequence[int], separate: Collection[int]
    ) -> Iterator[tuple[int, list[int]]]:
        """Yield tokens, each with the numbers of the segments that it covers."""
        if run[0] in separate:
            yield from ((token, list(run)) for token in self._plain.encode(pieces[run[0]].text))
            return
        owners = [place for place in run for _ in pieces[place].text]
        if not owners:
            return
        self._backend.encode_special_tokens = False
        encoded = self._backend.encode("".join(pieces[place].text for place in run), add_special_tokens=False)
        for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            yield token, sorted(set(owners[start:end])) or [owners[min(start, len(owners) - 1)]]

    def _corrupted(self, pieces: Sequence[Segment], tokens: Iterable[tuple[int, list[int]]]) -> set[int]:
        """Return the segments of people's text with a token that is not theirs; all of them if a frame lost one."""
        found: dict[int, list[int]] = defaultdict(list)
        neighbours: dict[int, set[int]] = defaultdict(set)
        for token, places in tokens:
            for place in places:
                found[place].append(token)
                neighbours[place].update(places)
        words = {place for place, piece in enumerate(pieces) if not piece.framing}
        controls = {place: self._count_controls(found[place]) for place in found.keys() - words}
        if any(
            controls.get(place, 0) != self._frame_controls(piece.text)
            for place, piece in enumerate(pieces)
            if piece.framing
        ):
            return words
        # Tokens for single bytes may also come from a neighbouring frame.
        texts = {place: "".join(pieces[other].text for other in neighbours[place]) for place in words}
        return {place for place in words if self._plain.has_foreign(found[place], texts[place])}

    def _count_frame_controls(self, frame: str) -> int:
        self._backend.encode_special_tokens = False
        return self._count_controls(self._backend.encode(frame, add_special_tokens=False).ids)

    def _count_controls(self, tokens: Iterable[int]) -> int:
        return sum(self._plain.is_control(token) and not self._plain.is_unknown(token) for token in tokens)

    def _is_kept(self, pieces: Sequence[Segment], token: int, places: Sequence[int]) -> bool:
        """Return False for the unknown token in people's text: what the tokenizer can't write is left out."""
        return not self._plain.is_unknown(token) or all(pieces[place].framing for place in places)


def _owner(pieces: Sequence[Segment], places: Sequence[int]) -> int:
    return next((place for place in places if pieces[place].learned), places[-1])
