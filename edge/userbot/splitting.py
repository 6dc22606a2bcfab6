"""Text as Telegram takes it: cleaned of what it refuses, cut into messages it accepts."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

import regex

MAX_MESSAGE = 4096
"""UTF-16 code units in one message (https://limits.tginfo.me)."""

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CLUSTER = regex.compile(r"\X")
_BREAKS = (
    re.compile(r"\n[^\S\n]*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])\s|(?<=[.!?…][\"'»”)\]])\s"),
)
"""Paragraphs, lines, sentences: taken if they leave a message at least half full."""
_SPACE = re.compile(r"\s")
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
"""Unassigned characters are not among them: they may be emoji newer than this Python."""


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, which is how Telegram counts."""
    return len(text) + sum(char > "\uffff" for char in text)


def clean(text: str) -> str:
    """`text` without lone surrogates and control characters; other line ends become `\\n`, tabs stay."""
    well_formed = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", well_formed))


def is_blank(text: str) -> bool:
    """Whether nothing of `text` can be seen: Telegram refuses such a message."""
    return all(unicodedata.category(char) in _UNSEEN for char in text)


def split(text: str, limit: int = MAX_MESSAGE) -> list[str]:
    """Cut `text` into messages of at most `limit` (>= 2) UTF-16 code units, in order.

    Cuts at the last paragraph, line, sentence or word that fits, else between characters as a reader sees them
    (grapheme clusters), and only in a cluster longer than `limit` between code points. White space at the cuts is
    dropped, and so are messages that would show nothing.
    """
    return [part for part in _parts(text.strip(), limit) if not is_blank(part)]


def _parts(rest: str, limit: int) -> Iterator[str]:
    while rest:
        cut = _cut(rest, limit)
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()


def _cut(text: str, limit: int) -> int:
    fits = _fitting(text, limit)
    if fits == len(text):
        return fits
    for pattern in _BREAKS:
        # A break may begin right after what fits, and the longest one is two characters and some blanks.
        found = _last(pattern, text, fits)
        if found > fits // 2:
            return found
    return _last(_SPACE, text, fits) or _between_clusters(text, fits) or fits


def _fitting(text: str, limit: int) -> int:
    """How many characters of `text` fit into `limit` UTF-16 code units."""
    widths = (1 + (char > "\uffff") for char in text[:limit])
    return bisect_right(list(accumulate(widths)), limit)


def _last(pattern: re.Pattern[str], text: str, fits: int) -> int:
    """Where the last match starts, at `fits` at the latest; 0 if there is none."""
    return max((found.start() for found in pattern.finditer(text, 0, fits + 2) if found.start() <= fits), default=0)


def _between_clusters(text: str, fits: int) -> int:
    """The last boundary of a grapheme cluster; whether there is one depends on just one character after it."""
    ends = (found.end() for found in _CLUSTER.finditer(text, 0, fits + 1))
    return max((end for end in ends if end <= fits), default=0)
