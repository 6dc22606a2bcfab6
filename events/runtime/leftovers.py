"""Unfinished directories, removed whatever ends the work on them: an error, or this process, even if it ends at once.

Imports only cheap modules: `Signals` needs it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_unfinished: "set[Path]" = set()
_TRIES = 3
"""At a directory that another thread or a dying child still writes to."""


@contextmanager
def unfinished(directory: "Path") -> Iterator[None]:
    """Make `directory`, empty; unless the block has renamed it, remove it. Raises OSError."""
    _unfinished.add(directory)
    try:
        _remove(directory)
        directory.mkdir()
        yield
    finally:
        _remove(directory)
        _unfinished.discard(directory)


def remove() -> None:
    """Remove what is unfinished: this process exits."""
    for directory in tuple(_unfinished):
        for _ in range(_TRIES):
            _remove(directory)


def _remove(directory: "Path") -> None:
    import shutil  # noqa: PLC0415 - takes its time

    shutil.rmtree(directory, ignore_errors=True)
