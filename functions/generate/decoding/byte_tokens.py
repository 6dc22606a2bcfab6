"""Tokens that stand for one byte each: what was written with them, character by character.

The decoder of `tokenizers` gives up all of them in a row for one that makes no character, an answer in Chinese for
instance while its last character is still being written.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

NAMES = tuple(f"<0x{byte:02X}>" for byte in range(256))


class ByteTokens:
    """Of one tokenizer; `token_of` gives a token by its name. A tokenizer may have none."""

    def __init__(self, token_of: Callable[[str], int | None], unknown: int | None) -> None:
        found = {token_of(name): byte for byte, name in enumerate(NAMES)}
        self._bytes = {token: byte for token, byte in found.items() if token is not None and token != unknown}

    def whole(self, tokens: Sequence[int]) -> list[int]:
        """Return `tokens` without those bytes that make no character."""
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
