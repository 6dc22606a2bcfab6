"""Segments to token ids, so that somebody's words never become a control token."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from functions.generate.prompts import FIRST_SPEAKER, SECOND_SPEAKER, Segment


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that encoding needs."""

    @property
    def bos_token_id(self) -> int | None: ...

    @property
    def all_special_ids(self) -> Sequence[int]: ...

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Each added token, with its `content` and whether it is `special`."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and for each one whether the assistant wrote it."""

    ids: list[int]
    learned: list[bool]


class Encoder:
    """Encodes prompts for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder
        special = {token for token, details in added.items() if details.special}
        self._special = special | set(tokenizer.all_special_ids)
        self._added = {token: details.content for token, details in added.items() if details.content.strip()}
        start = tokenizer.encode("", add_special_tokens=True, split_special_tokens=False)[:1]
        self._start = [token for token in start if token == tokenizer.bos_token_id]

    def encode(self, segments: Iterable[Segment], *, begin: bool) -> Encoded:
        """`begin` puts the tokenizer's beginning-of-text token first, if it uses one."""
        ids = list(self._start) if begin else []
        learned = [False] * len(ids)
        pieces = [piece for piece in segments if piece.text]
        control = self._control_tokens(pieces)
        for (framing, is_learned), group in groupby(pieces, key=lambda piece: (piece.framing, piece.learned)):
            tokens = self._tokens("".join(piece.text for piece in group), parse=framing)
            kept = tokens if framing else [token for token in tokens if token not in control]
            ids += kept
            learned += [is_learned] * len(kept)
        return Encoded(ids, learned)

    def _tokens(self, text: str, *, parse: bool) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=not parse)

    def _control_tokens(self, pieces: Iterable[Segment]) -> set[int]:
        """Tokens that words may never give. Where a tokenizer does not split one in words, it is left out of them.

        A tokenizer need not call its speaker tokens special: those count, and every added token of our framing.
        """
        frames = "".join(piece.text for piece in pieces if piece.framing) + FIRST_SPEAKER + SECOND_SPEAKER
        return self._special | {token for token, content in self._added.items() if content in frames}
