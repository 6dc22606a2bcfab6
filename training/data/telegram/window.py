"""A window on a JSON file of any size: text that is read piece by piece, and the byte at which each place is."""

import codecs
import re
from collections.abc import Callable
from typing import BinaryIO

_PIECE = 1 << 16
"""Bytes."""
LARGEST = 1 << 26
"""Characters of a single value. A longer one is not read."""
_HALVES = re.compile(
    r"[\ud800-\udfff]|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)
"""Bytes that are no UTF-8 (decoded to surrogates), and halves of a pair of surrogates."""


class FileWindow:
    """`text[at:]` is what is not consumed yet; `more` reads on."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._file, self._on_read = file, on_read
        self._strict = codecs.getincrementaldecoder("utf-8")("strict")
        self._escaping = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._start = self._read = 0
        self._odd = False
        self.text = ""
        self.at = 0
        self.ended = False
        self.more()
        if self.text.startswith("\ufeff"):
            self.at = 1

    def more(self) -> bool:
        """Drop what is consumed and read at least as much as is left. False at the end of the file."""
        if self.ended:
            return False
        self._start, self.text, self.at = self.byte(self.at), self.text[self.at :], 0
        text = self._piece(max(_PIECE, len(self.text)))
        while text.endswith("\0") and len(text) < LARGEST and (further := self._piece(_PIECE)):
            text += further
        self._odd = (self._odd and bool(_HALVES.search(self.text))) or _is_odd(text)
        self.text += text
        if self.ended:  # a copy that broke off may have zeros at its end
            self.text = self.text.rstrip("\0")
        return bool(text)

    def byte(self, at: int) -> int:
        """Where `text[at]` is in the file."""
        return self._start + _size(self.text[:at])

    def is_odd(self, end: int) -> bool:
        """Whether what is between the cursor and `end` has text that can't be stored."""
        return self._odd and bool(_HALVES.search(self.text, self.at, end))

    def mend(self, end: int, text: str) -> None:
        """Replace what is between the cursor and `end`. Later places keep their bytes."""
        self._start = self.byte(end) - _size(text)
        self.text, self.at = text + self.text[end:], 0

    def _piece(self, size: int) -> str:
        """Empty at the end of the file."""
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


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _is_odd(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\\ud" in text or "\\uD" in text
