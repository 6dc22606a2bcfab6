"""Subjects with their wildcards: who is interested in one, and which ones a filter takes."""

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

Value = TypeVar("Value")


class _Node(Generic[Value]):
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Value]] = {}
        self.values: dict[Value, None] = {}


class SubjectTree(Generic[Value]):
    """Values under subjects with wildcards, found by a subject without any."""

    def __init__(self) -> None:
        self._root = _Node[Value]()

    def add(self, subject: str, value: Value) -> None:
        node = self._root
        for token in subject.split("."):
            node = node.children.setdefault(token, _Node())
        node.values[value] = None

    def remove(self, subject: str, value: Value) -> None:
        """Remove what `add` added, and the branches that nothing is left on."""
        path = [self._root]
        tokens = subject.split(".")
        for token in tokens:
            if token not in path[-1].children:
                return
            path.append(path[-1].children[token])
        path[-1].values.pop(value, None)
        for parent, token in zip(reversed(path[:-1]), reversed(tokens), strict=True):
            child = parent.children[token]
            if child.values or child.children:
                return
            del parent.children[token]

    def match(self, subject: str) -> list[Value]:
        found: list[Value] = []
        _collect(self._root, subject.split("."), 0, found)
        return found


def _collect(node: _Node[Value], tokens: list[str], at: int, found: list[Value]) -> None:
    if at == len(tokens):
        found.extend(node.values)
        return
    children = node.children
    if rest := children.get(">"):
        found.extend(rest.values)
    if child := children.get(tokens[at]):
        _collect(child, tokens, at + 1, found)
    if child := children.get("*"):
        _collect(child, tokens, at + 1, found)


def is_literal(subject: str) -> bool:
    return "*" not in subject and ">" not in subject


@lru_cache(maxsize=1000)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return whether a subject without wildcards matches."""
    if is_literal(pattern):
        return pattern.__eq__
    if pattern == ">":
        return lambda subject: True
    tokens = pattern.split(".")
    if tokens[-1] == ">" and is_literal(prefix := pattern[:-1]):
        return lambda subject: len(subject) > len(prefix) and subject.startswith(prefix)
    return lambda subject: _covers(tokens, subject.split("."))


def _covers(pattern: list[str], subject: list[str]) -> bool:
    for wanted, token in zip(pattern, subject, strict=False):
        if wanted == ">":
            return True
        if wanted not in ("*", token):
            return False
    return len(pattern) == len(subject)


def overlap(one: str, other: str) -> bool:
    """Return whether some subject matches both."""
    ours, theirs = one.split("."), other.split(".")
    for our, their in zip(ours, theirs, strict=False):
        if ">" in (our, their):
            return True
        if our != their and "*" not in (our, their):
            return False
    return len(ours) == len(theirs)
