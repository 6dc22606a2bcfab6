"""Inline rules for markdown-it: emphasis, code and links. Formulas and addresses stay as written."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import backtick
from markdown_it.rules_inline.state_inline import StateInline

from edge.userbot.formatting import emphasis

CODE = "code_inline"
LINK = "link_close"
"""The type of the token after a link's label; its content shows the address."""
LONGEST_FORMULA = 1000
_FORMULAS = (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"))
_SHORT_FORMULA = re.compile(r"\$(?![\s$])[^$\n]{1,300}(?<![\s\\])\$(?!\d)")
_ESCAPED = re.compile(r"\\([*_~`#])")
_ADDRESS = re.compile(r"://[^\s*`<>\[\]]*[^\s*`<>\[\]_~.,:;!?'\")]")
_SCHEME = re.compile(r"(?:https?|ftp|tg)$", re.IGNORECASE)
_LONGEST_SCHEME = 5
_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,300})\]\(((?:https?|tg)://[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)\)", re.IGNORECASE
)


def enable(parser: MarkdownIt) -> None:
    """Add our inline rules to `parser`, which has none."""
    rules = parser.inline.ruler
    parser.enable(["escape", "backticks", "emphasis", "link"]).disable(["balance_pairs", "fragments_join"])
    rules.after("text", "address", _address)
    rules.before("escape", "formula", _formula)
    rules.at("escape", _escape)
    rules.at("backticks", _code)
    rules.at("emphasis", emphasis.tokenize)
    rules.at("link", _link)
    parser.inline.ruler2.at("emphasis", emphasis.pair)


def _address(state: StateInline, silent: bool) -> bool:
    """Keep an address as it is: underscores and the like in it are not markers."""
    before = state.src[max(0, state.pos - _LONGEST_SCHEME) : state.pos]
    found = _SCHEME.search(before) and _ADDRESS.match(state.src, state.pos, state.posMax)
    return _keep(state, found.end(), silent) if found else False


def _formula(state: StateInline, silent: bool) -> bool:
    for opening, closing in _FORMULAS:
        if state.src.startswith(opening, state.pos):
            end = state.src.find(closing, state.pos + 2, min(state.posMax, state.pos + LONGEST_FORMULA))
            if end > 0:
                return _keep(state, end + len(closing), silent)
    found = _SHORT_FORMULA.match(state.src, state.pos, state.posMax)
    return _keep(state, found.end(), silent) if found else False


def _escape(state: StateInline, silent: bool) -> bool:
    """Unescape markers only: other backslashes belong to paths, patterns and formulas."""
    found = _ESCAPED.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.append_pending(found[1])
    state.pos = found.end()
    return True


def _code(state: StateInline, silent: bool) -> bool:
    """Read code as CommonMark does, but keep line ends."""
    start = state.pos
    if not backtick(state, silent):
        return False
    token = state.tokens[-1] if state.tokens else None
    if token and token.type == CODE and not silent and "\n" in (source := state.src[start : state.pos].strip("`")):
        token.content = source.strip()
    return True


def _link(state: StateInline, silent: bool) -> bool:
    """Replace `[label](address)` by `label (address)`, so that the address of a link is always visible."""
    found = _LINK.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    label, address = found[1].strip(), found[2]
    if not silent:
        state.push("link_open", "a", 1)
        if label and label != address:
            end, state.posMax, state.pos = state.posMax, found.end(1), found.start(1)
            state.md.inline.tokenize(state)
            state.posMax = end
            address = f" ({address})"
        state.push(LINK, "a", -1).content = address
    state.pos = found.end()
    return True


def _keep(state: StateInline, end: int, silent: bool) -> bool:
    if not silent:
        state.append_pending(state.src[state.pos : end])
    state.pos = end
    return True
