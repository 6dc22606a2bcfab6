"""Text with styles: what is read from Markdown, and what Telegram is sent."""

from dataclasses import dataclass
from typing import Literal

Style = Literal["bold", "italic", "strike", "code", "pre"]


@dataclass(frozen=True, slots=True)
class StyledRange:
    """Characters `start` to `end` of a text have `style`; `language` is that of a code block, or empty."""

    style: Style
    start: int
    end: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class StyledText:
    """What a reader sees, without markers, and how it looks."""

    text: str
    ranges: tuple[StyledRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """`Span` as Telegram counts it, in UTF-16 code units of one message."""

    style: Style
    offset: int
    length: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class FormattedText:
    """One message."""

    text: str
    entities: tuple[Entity, ...] = ()
