"""Text with styles, as read from Markdown and as sent to Telegram."""

from dataclasses import dataclass
from typing import Literal

Style = Literal["bold", "italic", "strike", "code", "pre"]


@dataclass(frozen=True, slots=True)
class StyledRange:
    """The style of the characters `start` to `end`. `language`: of a code block, if known, else empty."""

    style: Style
    start: int
    end: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class StyledText:
    """The visible text, without markers, and its styles."""

    text: str
    ranges: tuple[StyledRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """A `StyledRange` of one message in UTF-16 code units, as Telegram counts."""

    style: Style
    offset: int
    length: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class FormattedText:
    """One message with its formatting."""

    text: str
    entities: tuple[Entity, ...] = ()
