"""A message's formatting in a terminal."""

from collections.abc import Iterable
from typing import Any

CODES = {
    "BOLD": (1, 22),
    "ITALIC": (3, 23),
    "STRIKE": (9, 29),
    "STRIKETHROUGH": (9, 29),
    "CODE": (36, 39),
    "PRE": (36, 39),
}
"""How each begins and ends; code is cyan."""


def looking(text: str, entities: Iterable[Any] | None) -> str:
    """Return `text` with the escape sequences that show its formatting, in Telegram's own types or pyrogram's."""
    units = text.encode("utf-16-le")
    marks = [mark for entity in entities or () for mark in _marks(entity)]
    parts, shown = [], 0
    # What ends somewhere ends before anything else begins there.
    for position, _, code in sorted(marks):
        parts += [units[shown : 2 * position].decode("utf-16-le"), f"\x1b[{code}m"]
        shown = 2 * position
    return "".join([*parts, units[shown:].decode("utf-16-le")])


def _marks(entity: Any) -> list[tuple[int, bool, int]]:
    begin, end = CODES.get(_name(entity), (0, 0))
    return [(entity.offset, True, begin), (entity.offset + entity.length, False, end)] if begin else []


def _name(entity: Any) -> str:
    kind = getattr(entity, "type", None)
    return str(kind.name) if kind else type(entity).__name__.removeprefix("MessageEntity").upper()
