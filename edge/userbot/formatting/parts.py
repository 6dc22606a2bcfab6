"""An answer as messages, each with formatting of its own that Telegram takes.

Its rules: https://core.telegram.org/api/entities and https://core.telegram.org/bots/api#formatting-options.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter

from edge.userbot.formatting.markdown import read_markdown
from edge.userbot.formatting.styled import Entity, FormattedText, StyledRange, StyledText
from edge.userbot.splitting import MAX_MESSAGE, message_bounds, utf16_length
from edge.userbot.text import is_blank

MAX_ENTITIES = 100
"""In a message: Telegram ignores further ones."""
REMEMBERED = 16
ALONE = {"code", "pre"}
"""Nothing else may be where these are."""


@lru_cache(maxsize=REMEMBERED)
def formatted_messages(text: str, *, formatted: bool, limit: int = MAX_MESSAGE) -> tuple[FormattedText, ...]:
    """Return the messages that `text`, clean and not blank, makes; the same ones every time.

    `formatted`: its Markdown is shown as formatting. `limit` counts UTF-16 code units.
    """
    shown = read_markdown(text) if formatted else StyledText(text)
    if is_blank(shown.text):
        shown = StyledText(text)
    spans = list(_separate(shown.ranges))
    blocks = [(span.start, span.end) for span in spans if span.style == "pre"]
    return tuple(
        _part(shown.text, spans, start, end) for start, end in message_bounds(shown.text, limit, blocks=blocks)
    )


def _separate(spans: Iterable[StyledRange]) -> Iterator[StyledRange]:
    """`spans` of which no two of a style touch, and none is where code is."""
    spans = list(spans)
    alone = [span for span in spans if span.style in ALONE]
    yield from alone
    code = sorted((span.start, span.end) for span in alone)
    for style in ("bold", "italic", "strike"):
        for start, end in _united(sorted((span.start, span.end) for span in spans if span.style == style)):
            yield from (StyledRange(style, *rest) for rest in _without(start, end, code))


def _united(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = end = 0
    for first, last in ranges:
        if first > end:
            yield start, end
            start = first
        end = max(end, last)
    yield start, end


def _without(start: int, end: int, holes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for first, last in holes[bisect_left(holes, start, key=itemgetter(1)) :]:
        if first >= end:
            break
        yield start, first
        start = last
    yield start, end


def _part(text: str, spans: list[StyledRange], start: int, end: int) -> FormattedText:
    found = [there for span in spans if span.end > start and (there := _visible(text, span, start, end))]
    found.sort(key=lambda span: (span.start, -span.end))
    message = text[start:end]
    return FormattedText(message, tuple(_entity(message, span, start) for span in found[:MAX_ENTITIES]))


def _visible(text: str, span: StyledRange, start: int, end: int) -> StyledRange | None:
    """What of `span` is between `start` and `end`; None if nothing of it can be seen."""
    first, last = max(span.start, start), min(span.end, end)
    if first >= last or is_blank(text[first:last]):
        return None
    last -= len(text[first:last]) - len(text[first:last].rstrip())
    if span.style != "pre":  # its first line may be indented
        first = last - len(text[first:last].lstrip())
    return replace(span, start=first, end=last)


def _entity(message: str, span: StyledRange, start: int) -> Entity:
    first, last = span.start - start, span.end - start
    return Entity(span.style, utf16_length(message[:first]), utf16_length(message[first:last]), span.language)
