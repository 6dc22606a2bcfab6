"""Thoughts: text between marks that a reasoning model writes before its answer; they are never shown."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.schema import Role, Turn


@dataclass(frozen=True, slots=True)
class ThoughtMark:
    """The strings that open and close a thought."""

    opening: str
    closing: str


THOUGHT_MARKS = (
    ThoughtMark("<think>", "</think>"),
    ThoughtMark("<thinking>", "</thinking>"),
    ThoughtMark("<thought>", "</thought>"),
    ThoughtMark("<reasoning>", "</reasoning>"),
    ThoughtMark("<seed:think>", "</seed:think>"),
    ThoughtMark("<longcat_think>", "</longcat_think>"),
    ThoughtMark("[THINK]", "[/THINK]"),
    ThoughtMark("◁think▷", "◁/think▷"),
    ThoughtMark("<|START_THINKING|>", "<|END_THINKING|>"),
    ThoughtMark("<|begin_of_thought|>", "<|end_of_thought|>"),
    ThoughtMark("<|inner_prefix|>", "<|inner_suffix|>"),
    ThoughtMark("<|channel>thought", "<channel|>"),
    ThoughtMark("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""docs/decisions/thoughts.md says which models write them."""

_FRAMES = (
    ThoughtMark("<answer>", "</answer>"),
    ThoughtMark("<response>", "</response>"),
    ThoughtMark("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ThoughtMark("<|begin_of_solution|>", "<|end_of_solution|>"),
)
"""Marks that some models put around the answer after a thought."""


@dataclass(frozen=True, slots=True)
class VisibleText:
    """`text` may be shown. `thinking`: it ends inside a thought. `thoughts`: the number of finished ones."""

    text: str
    thinking: bool
    thoughts: int = 0


def _any_of(spellings: Iterable[str]) -> str:
    return "|".join(map(re.escape, spellings))


_CLOSINGS = tuple(mark.closing for mark in THOUGHT_MARKS)
_SPELLINGS = (*_CLOSINGS, *(mark.opening for mark in THOUGHT_MARKS))
_CLOSING_OF = {mark.opening: mark.closing for mark in THOUGHT_MARKS}

_FENCED = (
    r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(?P<bar>`{3,}|~{3,})[\w+#.{}=: \t-]*\n"
    r"(?:.*?^[ \t>]*(?P=bar)[`~]*[ \t]*$|.*)"
)
"""An unclosed fence extends to the end, as in Markdown."""
_QUOTED = r"(?<!`)(?P<run>`+)(?!`)(?:(?!\n[ \t]*\n).)*?(?<!`)(?P=run)"


def _pieces(after_quoted: str) -> re.Pattern[str]:
    marks = rf"(?P<opening>{_any_of(_CLOSING_OF)})|(?P<closing>{_any_of(_CLOSINGS)})"
    return re.compile(rf"(?P<code>{_FENCED}|{_QUOTED}{after_quoted})|(?P<ticks>`+)|{marks}", re.DOTALL | re.MULTILINE)


_PIECE = _pieces("(?!`)")
_PIECE_SO_FAR = _pieces(r"(?!`|\Z)")
"""Backticks at the end may be followed by more."""
_MARK = re.compile(_any_of(_SPELLINGS))
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")


def hide_thoughts(text: str, *, thinking: bool = False, whole: bool = False) -> VisibleText:
    """Return what may be shown of a model's output; `thinking`: the prompt has already opened a thought.

    Hide text between marks, and everything before a closing mark without an opening one. Marks in Markdown code
    (backticks, fences) are text. Unless `text` is `whole`, hold back an end that may become a mark.
    """
    return _Reader(text, whole=whole).read(_CLOSINGS if thinking else ())


def without_thoughts(turns: Iterable[Turn]) -> list[Turn]:
    """Return `turns` without the assistant's thoughts, and without its turns that contain nothing else."""
    kept: list[Turn] = []
    for turn in turns:
        text = turn.text if turn.role is Role.USER else hide_thoughts(turn.text, whole=True).text
        if text == turn.text:
            kept.append(turn)
        elif text.strip():
            kept.append(turn.model_copy(update={"text": text.strip()}))
    return kept


def open_mark(text: str) -> ThoughtMark | None:
    """Return the mark of the thought that `text`, the frame before an answer, leaves open, or None."""
    places = [(max(text.rfind(mark.opening), text.rfind(mark.closing)), mark) for mark in THOUGHT_MARKS]
    place, mark = max(places, key=lambda found: found[0])
    return mark if place >= 0 and text.startswith(mark.opening, place) else None


class _Reader:
    """Reads a text from its start: `_rest` is unread, `_shown` visible so far."""

    def __init__(self, text: str, *, whole: bool) -> None:
        self._rest = text
        self._whole = whole
        self._shown = ""
        self._frame: ThoughtMark | None = None
        self._thoughts = 0

    def read(self, awaited: Sequence[str]) -> VisibleText:
        """`awaited`: the marks that close the thought at the start, if any."""
        if awaited and not self._skip_thought(awaited):
            return self._end(0, thinking=True)
        pieces = _PIECE if self._whole else _PIECE_SO_FAR
        while piece := pieces.search(self._rest):
            match piece.lastgroup:
                case "opening":
                    self._show(piece.start())
                    if not self._skip_thought([_CLOSING_OF[piece[0]]]):
                        return self._end(0, thinking=True)
                case "closing":
                    self._shown = ""
                    self._end_thought(piece.end())
                case "ticks" if not self._whole and not _PARAGRAPH_END.search(self._rest, piece.end()):
                    # They may still be closed, and then a mark after them is code.
                    mark = _MARK.search(self._rest, piece.end())
                    return self._end(mark.start() if mark else len(self._rest))
                case _:
                    self._show(piece.end())
        return self._end(len(self._rest))

    def _skip_thought(self, closings: Sequence[str]) -> bool:
        """Return False if the thought has no end."""
        ends = [place + len(mark) for mark in closings if (place := self._rest.find(mark)) >= 0]
        if ends:
            self._end_thought(min(ends))
        return bool(ends)

    def _end_thought(self, place: int) -> None:
        """Count a thought that ends at `place`; skip white space and an answer frame after it."""
        self._thoughts += 1
        self._rest = self._rest[place:]
        if not self._shown.strip():
            self._shown = ""
            self._open_frame(self._rest.lstrip())
        elif self._shown[-1].isspace():
            self._rest = self._rest.lstrip()

    def _open_frame(self, rest: str) -> None:
        self._frame = next((frame for frame in _FRAMES if rest.startswith(frame.opening)), None)
        if self._frame:
            rest = rest.removeprefix(self._frame.opening).lstrip()
        elif not self._whole and any(frame.opening.startswith(rest) for frame in _FRAMES):
            rest = ""
        self._rest = rest

    def _show(self, size: int) -> None:
        self._shown += self._rest[:size]
        self._rest = self._rest[size:]

    def _end(self, size: int, *, thinking: bool = False) -> VisibleText:
        self._show(size)
        text, spellings = self._shown, _SPELLINGS
        if self._frame:
            text, spellings = text.replace(self._frame.closing, ""), (*spellings, self._frame.closing)
        held_back = 0 if self._whole or thinking else _partial_mark(text, spellings)
        return VisibleText(text[: len(text) - held_back], thinking, self._thoughts)


def _partial_mark(text: str, spellings: Sequence[str]) -> int:
    """Return the length of the longest end of `text` that is the start of one of `spellings`."""
    longest = min(len(text), max(map(len, spellings)) - 1)
    sizes = (size for size in range(longest, 0, -1) if any(word.startswith(text[-size:]) for word in spellings))
    return next(sizes, 0)
