"""Read Markdown as styled text. Lines stay lines, and everything that is not certainly Markdown stays text.

markdown-it finds the blocks: headings, code blocks, lists and quotes. Lists and quotes stay as written, which reads
well in a chat, except that `*` becomes a bullet. No word is lost: other words beside a code block's language become a
line before it.
"""

import re
from collections.abc import Iterable
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, fence
from markdown_it.token import Token

from edge.userbot.formatting import inline
from edge.userbot.formatting.emphasis import PAIRS, Pair
from edge.userbot.formatting.styled_text import StyledRange, StyledText
from edge.userbot.text import is_blank

_BLOCKS = ["blockquote", "fence", "heading", "hr", "list"]
_PREFIX = re.compile(r"(?:[\s>]|[*+-](?=\s)|\d{1,9}[.)](?=\s))*")
"""The markers before the text of a line in lists and quotes."""
_LANGUAGE = re.compile(r"[\w#+.-]{1,32}", re.ASCII)


def read_markdown(markdown: str) -> StyledText:
    """Return the styled text of `markdown`, which is clean text."""
    lines = markdown.split("\n")
    writer, shown = _Writer(), 0
    last = markdown.rstrip().count("\n") + 1
    for token, heading in _leaves(markdown):
        start, end = token.map or (0, 0)
        writer.verbatim(lines[shown:start])
        if token.type == "fence":
            writer.code(token, lines[start:end], is_last=end >= last)
        else:
            writer.paragraph(token, lines[start:end], heading=heading)
        shown = end
    writer.verbatim(lines[shown:])
    return StyledText("".join(writer.pieces).removesuffix("\n"), tuple(writer.ranges))


def _leaves(markdown: str) -> Iterable[tuple[Token, bool]]:
    """Yield the blocks that have text of their own, in order, and whether each is a heading."""
    before = None
    for token in _parser().parse(markdown):
        if token.type in ("fence", "inline"):
            yield token, before == "heading_open"
        before = token.type


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero").enable(_BLOCKS).disable(["inline", "text_join"])
    parser.block.ruler.at("fence", _fence, {"alt": ["paragraph", "blockquote", "list"]})
    parser.block.ruler.push("end_of_quote", _end_of_quote, {"alt": ["blockquote"]})
    inline.enable(parser)
    return parser


def _fence(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Read a code block as CommonMark does, except that `~~~ Words ~~~` is a line of text."""
    line = state.src[state.bMarks[first] + state.tShift[first] : state.eMarks[first]]
    return "~" not in line.lstrip("~") and fence(state, first, end, silent)


def _end_of_quote(_state: StateBlock, _first: int, _end: int, silent: bool) -> bool:
    """End a quote at a line without `>`.

    In CommonMark such a line may continue it, so that each quote would have to read all that follows.
    In silent mode markdown-it asks whether a rule ends a block.
    """
    return silent


class _Writer:
    """Collects pieces of text and the ranges of their styles."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._length = 0
        self.ranges: list[StyledRange] = []

    def verbatim(self, lines: list[str]) -> None:
        for line in lines:
            self._write(f"{line}\n")

    def code(self, block: Token, lines: list[str], *, is_last: bool) -> None:
        # Only at the end of the text may an empty block that is not closed still get its code.
        info = block.info.strip()
        language = _LANGUAGE.match(info)
        is_language = not info or (language is not None and language[0] == info)
        is_closed = len(lines) > 1 and lines[-1].rstrip().endswith(block.markup)
        if is_blank(block.content) and info and (is_closed or not is_last or not is_language):
            self.verbatim(lines)
            return
        before = _bulleted(lines[0][: lines[0].find(block.markup)].rstrip())
        if not is_language:
            before += f" {info}" if before.strip() else info
        if before.strip():
            self._write(f"{before}\n")
        start = self._length
        self._write(block.content)
        self.ranges.append(StyledRange("pre", start, self._length, language[0] if language else ""))
        if not block.content.endswith("\n"):
            self._write("\n")

    def paragraph(self, block: Token, lines: list[str], *, heading: bool) -> None:
        first, content = lines[0].rstrip(), block.content.split("\n", 1)[0].rstrip()
        if heading:
            if not content:
                self.verbatim(lines)
                return
            before, text = first[: first.index("#")], block.content
        else:
            found = _PREFIX.match(first[: -len(content)]) if content and first.endswith(content) else None
            before = found[0] if found else ""
            text = "\n".join([lines[0][len(before) :], *lines[1:]])
        self._write(_bulleted(before))
        start = self._length
        self._inline(text)
        if heading:
            self.ranges.append(StyledRange("bold", start, self._length))
        self._write("\n")

    def _inline(self, text: str) -> None:
        env: dict[str, list[Pair]] = {}
        positions = []
        for token in _parser().inline.parse(text, _parser(), env, []):
            positions.append(self._length)
            self._write(token.content)
            if token.type == inline.CODE:
                self.ranges.append(StyledRange("code", positions[-1], self._length))
        self.ranges += [
            StyledRange(pair.style, positions[pair.start], positions[pair.end]) for pair in env.get(PAIRS, [])
        ]

    def _write(self, text: str) -> None:
        self.pieces.append(text)
        self._length += len(text)


def _bulleted(prefix: str) -> str:
    return prefix.replace("*", "•")
