"""Read the text of a large JSON file piece by piece, and locate each character in the file."""

import codecs
import re
from collections.abc import Callable
from typing import BinaryIO

_PIECE = 1 << 16
"""Bytes."""
LARGEST_VALUE = 1 << 26
"""Characters; a longer value is not read."""
_HALVES = re.compile(
    r"[\ud800-\udfff]|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)
"""Bytes that are not UTF-8 (decoded to surrogates), and escapes of lone surrogates."""


class FileWindow:
    """A window on a file. `text[at:]` is not consumed yet; `read_more` extends it."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._file, self._on_read = file, on_read
        self._strict = codecs.getincrementaldecoder("utf-8")("strict")
        self._escaping = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._start = self._read = 0
        self._may_have_surrogates = False
        self.text = ""
        self.at = 0
        self.ended = False
        self.read_more()
        if self.text.startswith("\ufeff"):
            self.at = 1

    def read_more(self) -> bool:
        """Drop the consumed text and read at least as much as is left. Return False at the end of the file."""
        if self.ended:
            return False
        self._start, self.text, self.at = self.byte_offset(self.at), self.text[self.at :], 0
        text = self._read_piece(max(_PIECE, len(self.text)))
        while text.endswith("\0") and len(text) < LARGEST_VALUE and (further := self._read_piece(_PIECE)):
            text += further
        self._may_have_surrogates = (
            self._may_have_surrogates and bool(_HALVES.search(self.text))
        ) or _contains_surrogates(text)
        self.text += text
        if self.ended:  # an interrupted copy may end with zeros
            self.text = self.text.rstrip("\0")
        return bool(text)

    def byte_offset(self, at: int) -> int:
        """Return the position of `text[at]` in the file."""
        return self._start + _byte_count(self.text[:at])

    def has_surrogates(self, end: int) -> bool:
        """Return whether the text between the cursor and `end` has lone surrogates, which can't be stored."""
        return self._may_have_surrogates and bool(_HALVES.search(self.text, self.at, end))

    def replace_text(self, end: int, text: str) -> None:
        """Replace the text between the cursor and `end`; later positions in the file stay the same."""
        self._start = self.byte_offset(end) - _byte_count(text)
        self.text, self.at = text + self.text[end:], 0

    def _read_piece(self, size: int) -> str:
        """Read and decode about `size` bytes; return "" at the end of the file."""
        text = ""
        while not (text or self.ended):
            data = self._file.read(size)
            self._read += len(data)
            self._on_read(self._read)
            self.ended = not data
            text = self._decode(data)
        return text

    def _decode(self, data: bytes) -> str:
        try:
            return self._strict.decode(data, final=self.ended)
        except UnicodeDecodeError:
            self._escaping.setstate(self._strict.getstate())
            text = self._escaping.decode(data, final=self.ended)
            self._strict.setstate(self._escaping.getstate())
            return text


def _byte_count(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _contains_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\\ud" in text or "\\uD" in text
