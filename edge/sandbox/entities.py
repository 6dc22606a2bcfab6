"""Check formatting as Telegram does: refuse entities out of bounds, and silently drop those beyond the limit.

ENTITY_BOUNDS_INVALID and its causes: https://core.telegram.org/method/messages.sendMessage, and what clients report: an
entity that is empty or ends after the text. Of more than 100 the first 100 count.
"""

from itertools import islice
from typing import Any

from edge.sandbox.faults import Refusal
from edge.sandbox.tl import Objects

MOST = 100
LOW_SURROGATES = range(0xDC00, 0xE000)


def checked(text: str, entities: Objects | None) -> Objects | None:
    """Return the entities of `text` that Telegram keeps, None if there are none. Raises Refusal."""
    units = text.encode("utf-16-le")
    for entity in entities or ():
        _check(units, entity)
    return list(islice(entities or (), MOST)) or None


def trimmed(text: str, entities: Objects | None) -> Objects | None:
    """Cut entities that reach beyond the end of `text`, which was shortened; return those that are left."""
    length = len(text.encode("utf-16-le")) // 2
    kept = [entity for entity in entities or () if entity.offset < length]
    for entity in kept:
        entity.length = min(entity.length, length - entity.offset)
    return kept or None


def _check(units: bytes, entity: Any) -> None:
    start, end = entity.offset, entity.offset + entity.length
    inside = 0 <= start < end <= len(units) // 2
    if not inside or _splits_a_pair(units, start) or _splits_a_pair(units, end):
        raise Refusal(400, "ENTITY_BOUNDS_INVALID")


def _splits_a_pair(units: bytes, position: int) -> bool:
    return int.from_bytes(units[2 * position : 2 * position + 2], "little") in LOW_SURROGATES
