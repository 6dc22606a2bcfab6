"""Split text into messages of a length that Telegram accepts."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import regex

from edge.userbot.text import is_blank

MAX_MESSAGE = 4096
"""UTF-16 code units in one message (https://limits.tginfo.me)."""

_CLUSTER = regex.compile(r"\X")
_PARAGRAPH, _LINE = re.compile(r"\n[^\S\n]*\n"), re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?…])\s|(?<=[.!?…][\"'»”)\]])\s")
_BREAKS = (_PARAGRAPH, _LINE, _SENTENCE)
"""Taken if they leave a message at least half full."""
_SPACE = re.compile(r"\s")


def utf16_length(text: str) -> int:
    """Return the length of `text` in UTF-16 code units, as Telegram counts."""
    return len(text) + sum(char > "\uffff" for char in text)


def split(text: str, limit: int = MAX_MESSAGE) -> list[str]:
    """Cut `text` into messages of at most `limit` (>= 2) UTF-16 code units, in order.

    Cuts at the last paragraph, line, sentence or word that fits, else between characters as a reader sees them
    (grapheme clusters), and only in a cluster longer than `limit` between code points. White space at the cuts is
    dropped, and so are messages that would show nothing.
    """
    return [text[start:end] for start, end in message_bounds(text, limit)]


def message_bounds(
    text: str, limit: int = MAX_MESSAGE, *, blocks: Sequence[tuple[int, int]] = ()
) -> list[tuple[int, int]]:
    """Where the messages of `split` begin and end in `text`.

    `blocks`, in order, are cut only where there is no paragraph or line outside them to cut at; their lines stay
    indented.
    """
    return [(start, end) for start, end in _parts(text, limit, blocks) if not is_blank(text[start:end])]


def _parts(text: str, limit: int, blocks: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    all_of_it = len(text.rstrip())
    start = _begin(text, 0, blocks)
    while start < all_of_it:
        rest = text[start:all_of_it]
        cut = start + _cut(rest, limit, [(first - start, last - start) for first, last in blocks])
        yield start, start + len(text[start:cut].rstrip())
        start = _begin(text, cut, blocks)


def _begin(text: str, start: int, blocks: Sequence[tuple[int, int]]) -> int:
    """After the white space that begins at `start`, but for what indents the first line of a block."""
    begin = len(text) - len(text[start:].lstrip())
    block = _block_before(begin + 1, blocks)
    return max(start, block[0], text.rfind("\n", start, begin) + 1) if block and begin < block[1] else begin


def _cut(text: str, limit: int, blocks: Sequence[tuple[int, int]]) -> int:
    fits = _fitting(text, limit)
    if fits == len(text):
        return fits
    for pattern, outside in ((_PARAGRAPH, blocks), (_LINE, blocks), *((pattern, ()) for pattern in _BREAKS)):
        # A break may begin right after what fits, and the longest one is two characters and some blanks.
        found = _last(pattern, text, fits, outside)
        if found > fits // 2:
            return found
    return _last(_SPACE, text, fits) or _between_clusters(text, fits) or fits


def _fitting(text: str, limit: int) -> int:
    """How many characters of `text` fit into `limit` UTF-16 code units."""
    widths = (1 + (char > "\uffff") for char in text[:limit])
    return bisect_right(list(accumulate(widths)), limit)


def _last(pattern: re.Pattern[str], text: str, fits: int, blocks: Sequence[tuple[int, int]] = ()) -> int:
    """Where the last match outside `blocks` starts, at `fits` at the latest; 0 if there is none."""
    starts = (found.start() for found in pattern.finditer(text, 0, fits + 2))
    return max((start for start in starts if start <= fits and not _inside(start, blocks)), default=0)


def _inside(position: int, blocks: Sequence[tuple[int, int]]) -> bool:
    block = _block_before(position, blocks)
    return block is not None and position < block[1] - 1  # its last character ends its last line


def _block_before(position: int, blocks: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The last of `blocks`, which are in order, that begins before `position`."""
    index = bisect_left(blocks, (position, 0))
    return blocks[index - 1] if index else None


def _between_clusters(text: str, fits: int) -> int:
    """The last boundary of a grapheme cluster; whether there is one depends on just one character after it."""
    ends = (found.end() for found in _CLUSTER.finditer(text, 0, fits + 1))
    return max((end for end in ends if end <= fits), default=0)
