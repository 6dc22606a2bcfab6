"""Characters that show nothing, which keyboards, apps and copying leave around and inside what people type."""

import re

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no white space
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # Unicode's own list
    "\u2800\ufff9-\ufffc"  # the empty braille cell, annotations, what stands for an object
    "\ud800-\udfff"  # halves of a pair
    "]"
)
"""Unicode's list is Default_Ignorable_Code_Point."""
_PART_OF_THE_LAST = re.compile(
    "[\u034f\u115f\u1160\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
)
"""They show nothing by themselves, but change how the character before them looks: ❤️, the flag of Scotland."""


def is_invisible(char: str) -> bool:
    """Whether `char` shows nothing and takes no room; white space does."""
    return _INVISIBLE.match(char) is not None


def visible(text: str) -> str:
    """Return `text` without the characters that show nothing: to compare, not to keep, as emoji are made of them."""
    return _INVISIBLE.sub("", text)


def trimmed(text: str) -> str:
    """Return `text` without white space and invisible characters at both ends."""
    start, end = 0, len(text)
    while start < end and _is_empty(text[start]):
        start += 1
    while start < end and _is_empty(text[end - 1]) and not _PART_OF_THE_LAST.match(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_empty(char: str) -> bool:
    return char.isspace() or is_invisible(char)
