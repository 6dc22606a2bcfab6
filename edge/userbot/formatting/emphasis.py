"""Find bold, italic and struck text: which runs of `*`, `_` and `~` are markers, and which are text.

Stricter than CommonMark, which finds markers in `2*3*4`, `__init__` and half a `**bold*`. A run is a marker as a whole
or not at all, and never inside a word.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from markdown_it.rules_inline.state_inline import Delimiter, StateInline

from edge.userbot.formatting.styled_text import Style

PAIRS = "pairs"
"""The key in markdown-it's `env` under which the pairs are stored."""
MARKERS = "*_~"
STYLES: dict[str, tuple[Style, ...]] = {
    "*": ("italic",),
    "**": ("bold",),
    "***": ("bold", "italic"),
    "_": ("italic",),
    "__": ("bold",),
    "___": ("bold", "italic"),
    "~~": ("strike",),
}
_BEFORE = set("([{«\"'“„‘—–:;,!?…|") | set(MARKERS)
_AFTER = set(")]}»\"'“”’.,:;!?…—–|") | set(MARKERS)
"""Characters that may be next to emphasis, besides white space."""
_LOOKED_THROUGH = 200
"""Characters that are searched for a letter."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair of markers: `style` begins at token `start` and ends at token `end`."""

    style: Style
    start: int
    end: int


@dataclass(slots=True, eq=False)
class _Run:
    """A run of markers from `start` to `end` in the source. `left`: how many of its characters have no partner yet."""

    marker: str
    token: int
    start: int
    end: int
    opens: bool
    closes: bool
    left: int
    matches: list["_Match"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Match:
    """Two runs that match. `is_broken`: the same marker is inside a word between them, so the match is unsure."""

    opener: _Run
    closer: _Run
    length: int
    is_broken: bool

    @property
    def styles(self) -> tuple[Style, ...]:
        return STYLES[self.opener.marker * self.length]

    def undo(self) -> Iterator[_Run]:
        """Remove the match from its runs, and yield those that have other matches."""
        for run in (self.opener, self.closer):
            run.matches.remove(self)
            run.left += self.length
            if run.matches:
                yield run


def tokenize(state: StateInline, silent: bool) -> bool:
    """Make a run of markers a token of its own: an inline rule for markdown-it."""
    marker = state.src[state.pos]
    if silent or marker not in MARKERS:
        return False
    scanned = state.scanDelims(state.pos, marker != "_")
    start, end = state.pos, state.pos + scanned.length
    state.pos = end
    if marker * scanned.length not in STYLES:
        state.append_pending(marker * scanned.length)
        return True
    state.push("text", "", 0).content = state.src[start:end]
    opens, closes = scanned.can_open and _opens(state.src, start), scanned.can_close and _closes(state.src, end)
    state.delimiters.append(Delimiter(ord(marker), scanned.length, len(state.tokens) - 1, start, opens, closes))
    return True


def pair(state: StateInline) -> None:
    """Remove the markers from the tokens and store their pairs in `env`: a second inline rule for markdown-it."""
    nested = (meta["delimiters"] for meta in state.tokens_meta if meta and "delimiters" in meta)
    pairs = state.env.setdefault(PAIRS, [])
    for delimiters in (state.delimiters, *nested):
        runs = _matched([_run(delimiter) for delimiter in delimiters], state.src)
        for run in runs:
            state.tokens[run.token].content = ""
        for match in (match for run in runs for match in run.matches if match.opener is run):
            pairs += [Pair(style, match.opener.token, match.closer.token) for style in match.styles]


def _opens(text: str, start: int) -> bool:
    return start == 0 or text[start - 1].isspace() or text[start - 1] in _BEFORE


def _closes(text: str, end: int) -> bool:
    return end == len(text) or text[end].isspace() or text[end] in _AFTER


def _run(found: Delimiter) -> _Run:
    # `tokenize` stores the start in `end`, in which markdown-it's own rules store the index of the partner.
    start = found.end
    return _Run(chr(found.marker), found.token, start, start + found.length, found.open, found.close, found.length)


def _matched(runs: list[_Run], text: str) -> list[_Run]:
    """Return the runs that are markers, with their matches."""
    open_runs: list[_Run] = []
    count: Counter[str] = Counter()
    inside_words: dict[str, int] = {}
    for run in runs:
        if not (run.opens or run.closes):
            inside_words[run.marker * run.left] = run.start
        while run.closes and run.left and count[run.marker]:
            opener = next(opener for opener in reversed(open_runs) if opener.marker == run.marker)
            # Runs that were opened inside and not closed are text.
            while open_runs[-1] is not opener:
                count[open_runs.pop().marker] -= 1
            _match(opener, run, inside_words)
            if not opener.left:
                open_runs.pop()
                count[run.marker] -= 1
        if run.opens and not run.matches:
            open_runs.append(run)
            count[run.marker] += 1
    _drop(runs, text)
    return [run for run in runs if run.matches]


def _match(opener: _Run, closer: _Run, inside_words: Mapping[str, int]) -> None:
    length = min(opener.left, closer.left)
    is_broken = inside_words.get(opener.marker * length, -1) > opener.start
    match = _Match(opener, closer, length, is_broken)
    for run in (opener, closer):
        run.left -= match.length
        run.matches.append(match)


def _drop(runs: list[_Run], text: str) -> None:
    """Undo the matches of runs of which only a part matches, or whose content can't be emphasised."""
    wrong = [run for run in runs if run.matches and not _is_whole(run, text)]
    while wrong:
        for match in list(wrong.pop().matches):
            wrong += match.undo()


def _is_whole(run: _Run, text: str) -> bool:
    styles = [style for match in run.matches for style in match.styles]
    if run.left or len(set(styles)) < len(styles) or any(match.is_broken for match in run.matches):
        return False
    return all(_is_text(match, text) for match in run.matches)


def _is_text(match: _Match, text: str) -> bool:
    """Return whether the content can be emphasised: `*1*` is arithmetic, `__init__` and `_some_name_` are names."""
    start, end = match.opener.end, match.closer.start
    marker = match.opener.marker * match.length
    if marker in ("*", "_") and not any(char.isalpha() for char in text[start : min(end, start + _LOOKED_THROUGH)]):
        return False
    if match.opener.marker != "_" or not _IDENTIFIER.fullmatch(text, start, end):
        return True
    return marker == "_" and "_" not in text[start:end]
