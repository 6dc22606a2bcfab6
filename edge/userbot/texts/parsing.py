"""Parse lines in the syntax of Project Fluent, https://projectfluent.org/fluent/guide/."""

import re

from fluent.syntax import FluentParser
from fluent.syntax.ast import Junk, Message, Term

Entries = dict[str, Message | Term]
"""Lines by id, and terms, which lines refer to, by `-name`."""
_INDENT = "    "


class BadLine(Exception):
    """A line can't be used; `problem` says why."""

    def __init__(self, line_id: str, problem: str) -> None:
        super().__init__(f"{line_id}: {problem}")
        self.line_id, self.problem = line_id, problem


def parse(source: str, *, numbered: bool = False) -> Entries:
    """Return what a file holds. Raises BadLine; `numbered`: with the number of the line in the file."""
    entries: Entries = {}
    for entry in FluentParser().parse(source).body:
        if isinstance(entry, Junk):
            raise BadLine(_name(entry.content or ""), _problem(entry, source if numbered else ""))
        if isinstance(entry, Message | Term):
            key = f"-{entry.id.name}" if isinstance(entry, Term) else entry.id.name
            if key in entries:
                raise BadLine(key, "it is there twice")
            entries[key] = _simple(key, entry)
    return entries


def parse_line(line_id: str, text: str) -> Entries:
    """Return the line `line_id` that says `text`, a pattern of Fluent. Raises BadLine."""
    return parse(f"{line_id} = {text.replace(chr(10), chr(10) + _INDENT)}\n")


def _name(content: str) -> str:
    """Return the id that `content` begins with."""
    name = re.match(r"-?\w[\w-]*", content)
    return name[0] if name else "what is no line"


def _simple(name: str, entry: Message | Term) -> Message | Term:
    if entry.attributes or entry.value is None:
        raise BadLine(name, "it takes a text, and no attributes")
    return entry


def _problem(junk: Junk, source: str) -> str:
    """Return what Fluent's parser says, and where in `source`, unless that is empty."""
    if not junk.annotations or not junk.annotations[0].span:
        return "it can't be read"
    number = source.count("\n", 0, junk.annotations[0].span.start) + 1
    return f"{junk.annotations[0].message}{f' (line {number})' if source else ''}"
