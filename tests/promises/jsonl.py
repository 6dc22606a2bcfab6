"""A history's file: JSON Lines, a line of `kind` and what differs from the kind's defaults."""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from tests.promises.history import History, Line

KINDS: dict[str, type[Line]] = {kind.__name__.lower(): kind for kind in get_args(Line)}


class UnreadableHistory(ValueError):
    """A line that is none of a history: the message names its number."""


def write(history: History, path: Path) -> None:
    path.write_text("".join(f"{json.dumps(_plain(line), ensure_ascii=False)}\n" for line in history.lines))


def read(path: Path) -> History:
    """Raises UnreadableHistory, OSError."""
    return History(tuple(_lines(path)))


def _lines(path: Path) -> Iterator[Line]:
    for number, text in enumerate(path.read_text().splitlines(), 1):
        try:
            yield _line(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnreadableHistory(f"{path}, line {number}: {error!r}") from error


def _plain(line: Line) -> dict[str, Any]:
    known = {part.name: getattr(line, part.name) for part in fields(line) if getattr(line, part.name) != part.default}
    return {"kind": type(line).__name__.lower(), **known}


def _line(plain: dict[str, Any]) -> Line:
    kind: Callable[..., Line] = KINDS[plain.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})
