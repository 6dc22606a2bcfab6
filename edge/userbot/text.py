"""Remove from text what Telegram refuses, and invisible characters that keyboards, apps and copying leave in it."""

import re
import unicodedata

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no white space
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # Unicode's own list
    "\u2800\ufff9-\ufffc"  # the empty braille cell, annotations, what stands for an object
    "\ud800-\udfff"  # halves of a pair
    "]"
)
""""Unicode's own list" is Default_Ignorable_Code_Point."""
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
"""Unicode categories. Unassigned characters are not among them: they may be emoji newer than this Python."""
_PART_OF_THE_LAST = re.compile(
    "[\u034f\u115f\u1160\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
)
"""Invisible by themselves, they change the look of the character before them: ❤️, the flag of Scotland."""


def clean(text: str) -> str:
    """Return `text` without lone surrogates and control characters. Line ends become `\\n`; tabs stay."""
    well_formed = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", well_formed))


def visible(text: str) -> str:
    """Return `text` without white space and invisible characters, which Telegram may change."""
    return "".join(char for char in text if char.isprintable() and not char.isspace())


def is_blank(text: str) -> bool:
    """Return whether nothing of `text` can be seen. Telegram refuses such a message."""
    return all(unicodedata.category(char) in _UNSEEN for char in text)


def is_invisible(char: str) -> bool:
    """Return whether `char` shows nothing and takes no room, unlike white space."""
    return _INVISIBLE.match(char) is not None


def strip_invisible(text: str) -> str:
    """Return `text` without invisible characters, for comparisons only: emoji contain some of them."""
    return _INVISIBLE.sub("", text)


def trim(text: str) -> str:
    """Return `text` without white space and invisible characters at both ends."""
    start, end = 0, len(text)
    while start < end and _is_empty(text[start]):
        start += 1
    while start < end and _is_empty(text[end - 1]) and not _PART_OF_THE_LAST.match(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_empty(char: str) -> bool:
    return char.isspace() or is_invisible(char)
