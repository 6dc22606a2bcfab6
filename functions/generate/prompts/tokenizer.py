"""What prompts and answers need of a tokenizer, and its tokens for single bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

BYTE_TOKENS = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""The names of tokens that stand for one byte each."""


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that encoding needs."""

    @property
    def bos_token_id(self) -> int | None: ...

    @property
    def unk_token_id(self) -> int | None: ...

    @property
    def all_special_ids(self) -> Sequence[int]: ...

    @property
    def all_special_tokens(self) -> Sequence[str]: ...

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Each added token, with its `content` and whether it is `special`."""
        ...

    def convert_tokens_to_ids(self, tokens: str) -> int | None: ...

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]: ...


class ByteTokens:
    """The tokens for single bytes of one tokenizer, which may have none.

    The decoder of `tokenizers` drops a whole run of them if one completes no character, e.g. while the last character
    of a Chinese answer is still being written.
    """

    def __init__(self, token_of: Callable[[str], int | None], unknown: int | None) -> None:
        """`token_of` returns a token by its name."""
        found = {token_of(name): byte for byte, name in enumerate(BYTE_TOKENS)}
        self._bytes = {token: byte for token, byte in found.items() if token is not None and token != unknown}

    def without_fragments(self, tokens: Sequence[int]) -> list[int]:
        """Return `tokens` without bytes that form no character."""
        if self._bytes.keys().isdisjoint(tokens):
            return list(tokens)
        rows = groupby(tokens, key=self._bytes.__contains__)
        return [token for spelled, row in rows for token in (self._characters(list(row)) if spelled else row)]

    def _characters(self, tokens: Sequence[int]) -> Iterator[int]:
        written = bytes(self._bytes[token] for token in tokens)
        start = 0
        while start < len(written):
            try:
                written[start:].decode()
            except UnicodeDecodeError as error:
                yield from tokens[start : start + error.start]
                start += error.end
            else:
                yield from tokens[start:]
                return
