"""Segments to token ids, so that somebody's words never become a control token."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from functions.generate.prompts.formats import Segment
from functions.generate.prompts.texts import Texts
from functions.generate.prompts.words import Tokenizer, Words


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
        self._words = Words(tokenizer)
        self._texts = (
            Texts(tokenizer.backend_tokenizer, self._words) if hasattr(tokenizer, "backend_tokenizer") else None
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
