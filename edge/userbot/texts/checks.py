"""Check a line before it is said: it has its variables, can be formatted, fits, and is no command to another bot."""

from collections.abc import Iterator, Mapping, Set
from itertools import product

from fluent.syntax.ast import MessageReference, NumberLiteral, VariableReference, Variant
from fluent.syntax.visitor import Visitor

from edge.userbot.chat.commands import parse as parse_command
from edge.userbot.text import clean, is_blank, trim
from edge.userbot.texts.catalogue import Catalogue, one_of_each_form
from edge.userbot.texts.parsing import BadLine, Entries

MAX_TEXT = 2000
"""UTF-16 code units of a line with the longest values. Telegram takes 4096, but fluent.runtime no part above 2500."""
MAX_PARTS = {
    "draft-how": 280,
    "draft-send-label": 64,
    "draft-drop-label": 64,
    "draft": 1000,
    "draft-failed": 1000,
    "draft-more": 1000,
    "order-until": 80,
    "order-until-resumed": 80,
    "status-paused-chat": 250,
    "queue-question": 400,
    "people-answered": 40,
    "people-not-answered": 40,
    "people-by-settings": 980,
    "people-by-commands": 980,
    "people-more": 30,
}
"""The same for lines that share a message with the answer, or with a list, which is filled up."""
MAX_ROW = 240
"""And for the other lines of the reports."""
_ROWS = ("status-", "queue-", "limits", "people-")

_LONG_COUNT = 1_000_000
_COUNTS = (0, 1, 2, 3, 5, 6, 11, 21, 100, _LONG_COUNT)
"""Some of each plural form in any language."""
_WIDE = "😀"
SAMPLES: Mapping[str, str] = {
    "asker": "/" + _WIDE * 99,
    "chat": "-" + "9" * 39,
    "hours": "23:00-07:30, " * 8,
    "moment": "28.11.2026 16:00 UTC",
    "number": "99",
    "people": "@" + "x" * 939,
    "prefix": "/" + "x" * 63,
    "question": "/" + _WIDE * 299,
    "state": "x" * 40,
    "text": _WIDE * 60,
    "total": "99",
    "until": "x" * 80,
    "usage": "/" + "x" * 79,
    "who": _WIDE * 40 + "x" * 42,
    "zone": "x" * 40,
}
"""The longest value of each variable that is no number. What users or the owner write may begin like a command."""
_COMMAND_SIGNS = "/+-"


def variables_of(entries: Entries, line_id: str) -> Set[str]:
    """Return the variables that a line uses."""
    uses = _Uses()
    uses.visit(entries[line_id])
    return uses.variables


def check(entries: Entries, line_id: str, catalogue: Catalogue, *, wanted: Set[str], prefixes: Set[str]) -> None:
    """Raise BadLine if a line can't be said. `wanted`: its variables. `prefixes`: what questions start with."""
    uses = _Uses()
    uses.visit(entries[line_id])
    for other in uses.lines:
        raise BadLine(line_id, f"it refers to the line {other}; it may refer to terms, such as -{other}")
    if unknown := uses.variables - wanted:
        has = f"it has {_shown(wanted)}" if wanted else "it has none"
        raise BadLine(line_id, f"there is no variable {_shown(unknown)}; {has}")
    if missing := wanted - uses.variables:
        raise BadLine(line_id, f"it lacks {_shown(missing)}")
    for values in _samples(wanted, {0, _LONG_COUNT, *uses.numbers, *one_of_each_form(catalogue.language, _COUNTS)}):
        _check_text(line_id, catalogue.format(line_id, values), prefixes)


def max_length(line_id: str) -> int:
    """Return how many UTF-16 code units a line takes at most."""
    return MAX_PARTS.get(line_id, MAX_ROW if line_id.startswith(_ROWS) else MAX_TEXT)


def _samples(variables: Set[str], counts: Set[int]) -> Iterator[dict[str, str | int]]:
    """Yield values for the variables: the longest texts, and each of the numbers."""
    names = sorted(variables)
    choices: list[list[str | int]] = [[SAMPLES[name]] if name in SAMPLES else [*counts] for name in names]
    yield from (dict(zip(names, chosen, strict=True)) for chosen in product(*choices))


def _check_text(line_id: str, text: str, prefixes: Set[str]) -> None:
    if is_blank(text) or text != trim(text):
        raise BadLine(line_id, "it is empty, or begins or ends with what can't be seen")
    if text != clean(text):
        raise BadLine(line_id, "it has control characters, which Telegram refuses")
    if text[0] in _COMMAND_SIGNS:
        raise BadLine(line_id, f"it starts with {text[0]}, like a command; begin with a word of yours")
    if any(parse_command(text, prefix) for prefix in prefixes):
        raise BadLine(line_id, "it starts with a command or the prefix: two bots could keep answering each other")
    length = len(text.encode("utf-16-le")) // 2
    if length > max_length(line_id):
        raise BadLine(line_id, f"it has up to {length} characters; at most {max_length(line_id)} fit")


def _shown(variables: Set[str]) -> str:
    return ", ".join(f"{{ ${name} }}" for name in sorted(variables))


class _Uses(Visitor):
    """Collects what a line refers to, and the numbers for which it has a text of their own."""

    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.lines: set[str] = set()
        self.numbers: set[int] = set()

    def visit_VariableReference(self, node: VariableReference) -> None:
        self.variables.add(node.id.name)

    def visit_MessageReference(self, node: MessageReference) -> None:
        self.lines.add(node.id.name)

    def visit_Variant(self, node: Variant) -> None:
        if isinstance(node.key, NumberLiteral):
            self.numbers.add(int(float(node.key.value)))
        self.generic_visit(node)
