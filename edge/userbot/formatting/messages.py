"""Split an answer into messages of a length that Telegram accepts, each with its own formatting.

Telegram's rules: https://core.telegram.org/api/entities and https://core.telegram.org/bots/api#formatting-options.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter

import regex

from edge.userbot.formatting.markdown import read_markdown
from edge.userbot.formatting.styled_text import Entity, FormattedText, StyledRange, StyledText
from edge.userbot.text import is_blank

MAX_MESSAGE = 4096
"""UTF-16 code units in one message (https://limits.tginfo.me)."""
MAX_ENTITIES = 100
"""In a message: Telegram ignores further ones."""
CACHED_ANSWERS = 16
EXCLUSIVE = {"code", "pre"}
"""Styles that can't be combined with others."""

_CLUSTER = regex.compile(r"\X")
_PARAGRAPH, _LINE = re.compile(r"\n[^\S\n]*\n"), re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?…])\s|(?<=[.!?…][\"'»”)\]])\s")
_BREAKS = (_PARAGRAPH, _LINE, _SENTENCE)
"""Where to cut, the best first, if that leaves a message at least half full."""
_SPACE = re.compile(r"\s")

Bounds = tuple[int, int]
"""The start and end of a part of a text."""


@lru_cache(maxsize=CACHED_ANSWERS)
def formatted_messages(text: str, *, formatted: bool, limit: int = MAX_MESSAGE) -> tuple[FormattedText, ...]:
    """Return the messages for `text`, which is clean and not blank; the same ones every time.

    `formatted`: show its Markdown as formatting. `limit` counts UTF-16 code units.
    """
    shown = read_markdown(text) if formatted else StyledText(text)
    if is_blank(shown.text):
        shown = StyledText(text)
    ranges = list(_separate(shown.ranges))
    blocks = [(range_.start, range_.end) for range_ in ranges if range_.style == "pre"]
    bounds = message_bounds(shown.text, limit, blocks=blocks)
    return tuple(_message(shown.text, ranges, start, end) for start, end in bounds)


def _separate(ranges: Iterable[StyledRange]) -> Iterator[StyledRange]:
    """Yield `ranges` so that no two of the same style touch, and none overlaps code."""
    ranges = list(ranges)
    exclusive = [range_ for range_ in ranges if range_.style in EXCLUSIVE]
    yield from exclusive
    code = sorted((range_.start, range_.end) for range_ in exclusive)
    for style in ("bold", "italic", "strike"):
        for start, end in _united(sorted((range_.start, range_.end) for range_ in ranges if range_.style == style)):
            yield from (StyledRange(style, *rest) for rest in _without(start, end, code))


def _united(ranges: list[Bounds]) -> Iterator[Bounds]:
    """Join ranges that overlap or touch."""
    start = end = 0
    for first, last in ranges:
        if first > end:
            yield start, end
            start = first
        end = max(end, last)
    yield start, end


def _without(start: int, end: int, holes: list[Bounds]) -> Iterator[Bounds]:
    """Cut `holes` out of a range."""
    for first, last in holes[bisect_left(holes, start, key=itemgetter(1)) :]:
        if first >= end:
            break
        yield start, first
        start = last
    yield start, end


def _message(text: str, ranges: list[StyledRange], start: int, end: int) -> FormattedText:
    found = [visible for range_ in ranges if range_.end > start and (visible := _visible(text, range_, start, end))]
    found.sort(key=lambda range_: (range_.start, -range_.end))
    message = text[start:end]
    return FormattedText(message, tuple(_entity(message, range_, start) for range_ in found[:MAX_ENTITIES]))


def _visible(text: str, range_: StyledRange, start: int, end: int) -> StyledRange | None:
    """Return the visible part of `range_` between `start` and `end`, None if there is none."""
    first, last = max(range_.start, start), min(range_.end, end)
    if first >= last or is_blank(text[first:last]):
        return None
    last -= len(text[first:last]) - len(text[first:last].rstrip())
    if range_.style != "pre":  # its first line may be indented
        first = last - len(text[first:last].lstrip())
    return replace(range_, start=first, end=last)


def _entity(message: str, range_: StyledRange, start: int) -> Entity:
    first, last = range_.start - start, range_.end - start
    return Entity(range_.style, utf16_length(message[:first]), utf16_length(message[first:last]), range_.language)


def utf16_length(text: str) -> int:
    """Return the length of `text` in UTF-16 code units, as Telegram counts."""
    return len(text) + sum(char > "\uffff" for char in text)


def split(text: str, limit: int = MAX_MESSAGE) -> list[str]:
    """Split `text` into messages of at most `limit` (>= 2) UTF-16 code units, in order.

    Cut at the last paragraph, line, sentence or word that fits, else between characters as a reader sees them
    (grapheme clusters), and only in a cluster longer than `limit` between code points. Drop white space at the cuts,
    and messages that would show nothing.
    """
    return [text[start:end] for start, end in message_bounds(text, limit)]


def message_bounds(text: str, limit: int = MAX_MESSAGE, *, blocks: Sequence[Bounds] = ()) -> list[Bounds]:
    """Return the start and end of each message of `split` in `text`.

    Cut `blocks`, which are in order, only if there is no paragraph or line outside them to cut at; keep the
    indentation of their lines.
    """
    return [(start, end) for start, end in _all_bounds(text, limit, blocks) if not is_blank(text[start:end])]


def _all_bounds(text: str, limit: int, blocks: Sequence[Bounds]) -> Iterator[Bounds]:
    text_end = len(text.rstrip())
    start = _skip_white_space(text, 0, blocks)
    while start < text_end:
        rest = text[start:text_end]
        cut = start + _cut(rest, limit, [(first - start, last - start) for first, last in blocks])
        yield start, start + len(text[start:cut].rstrip())
        start = _skip_white_space(text, cut, blocks)


def _skip_white_space(text: str, start: int, blocks: Sequence[Bounds]) -> int:
    """Return the end of the white space at `start`, without the indentation of a block's first line."""
    end = len(text) - len(text[start:].lstrip())
    block = _block_before(end + 1, blocks)
    return max(start, block[0], text.rfind("\n", start, end) + 1) if block and end < block[1] else end


def _cut(text: str, limit: int, blocks: Sequence[Bounds]) -> int:
    """Return where to end the first message."""
    widths = (1 + (char > "\uffff") for char in text[:limit])
    fits = bisect_right(list(accumulate(widths)), limit)
    if fits == len(text):
        return fits
    for pattern, outside in ((_PARAGRAPH, blocks), (_LINE, blocks), *((pattern, ()) for pattern in _BREAKS)):
        # A break may begin right after what fits, and the longest one is two characters and some blanks.
        found = _last(pattern, text, fits, outside)
        if found > fits // 2:
            return found
    return _last(_SPACE, text, fits) or _between_clusters(text, fits) or fits


def _last(pattern: re.Pattern[str], text: str, fits: int, blocks: Sequence[Bounds] = ()) -> int:
    """Return the start of the last match outside `blocks` that starts at `fits` or before, 0 if there is none."""
    starts = (found.start() for found in pattern.finditer(text, 0, fits + 2))
    return max((start for start in starts if start <= fits and not _is_inside(start, blocks)), default=0)


def _is_inside(position: int, blocks: Sequence[Bounds]) -> bool:
    block = _block_before(position, blocks)
    return block is not None and position < block[1] - 1  # its last character ends its last line


def _block_before(position: int, blocks: Sequence[Bounds]) -> Bounds | None:
    """Return the last of `blocks`, which are in order, that begins before `position`."""
    index = bisect_left(blocks, (position, 0))
    return blocks[index - 1] if index else None


def _between_clusters(text: str, fits: int) -> int:
    """Return the last boundary between grapheme clusters. One character after it suffices to find it."""
    ends = (found.end() for found in _CLUSTER.finditer(text, 0, fits + 1))
    return max((end for end in ends if end <= fits), default=0)
