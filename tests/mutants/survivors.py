"""Mutants that no test kills, as docs/mutants.md lists them: where, and what was changed into what."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

CONTEXT = 16
"""Characters before and after a change that are shown too, or a few more: whole words."""
_TOKEN = re.compile(r"\w+|\W")
_ROW = re.compile(r"^- `([\w.]+)`: `([^`]+)` → (?:`([^`]+)`|nothing)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Survivor:
    """`where`: a function, with its module. `before` and `after`: the part of its code that was changed."""

    where: str
    before: str
    after: str

    @classmethod
    def of(cls, name: str, diff: str) -> "Survivor":
        """Return the mutant that mutmut calls `name`, with the diff that mutmut shows."""
        lines = [line for line in diff.splitlines() if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]
        before, after = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
        return cls(where(name), *changed(before, after))

    def __str__(self) -> str:
        return f"- `{self.where}`: `{self.before}` → " + (f"`{self.after}`" if self.after else "nothing")


def listed(page: str) -> list[Survivor]:
    """Return the survivors that a page lists."""
    return [Survivor(*row) for row in _ROW.findall(page)]


def where(name: str) -> str:
    """Return `module.function` or `module.Class.function` of a mutant `module.xǁClassǁfunction__mutmut_1`."""
    module, _, mangled = name.rpartition(".")
    function = mangled.rpartition("__mutmut_")[0]
    return f"{module}.{function.removeprefix('xǁ').replace('ǁ', '.') if 'ǁ' in function else function[2:]}"


def changed(before: str, after: str) -> tuple[str, str]:
    """Return the parts of two lines in which they differ, with some context."""
    one, other = _TOKEN.findall(before), _TOKEN.findall(after)
    start = _same(one, other)
    end = min(_same(one[::-1], other[::-1]), len(one) - start, len(other) - start)
    start -= _enough(one[:start][::-1])
    end -= _enough(one[len(one) - end :])
    return "".join(one[start : len(one) - end]).strip(), "".join(other[start : len(other) - end]).strip()


def _same(one: list[str], other: list[str]) -> int:
    """Return how many tokens two lists have in common at their start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _enough(tokens: Iterable[str]) -> int:
    """Return how many of `tokens` are shown as context."""
    shown, length = 0, 0
    for token in tokens:
        if length >= CONTEXT:
            break
        shown, length = shown + 1, length + len(token)
    return shown
