"""Unfinished files and directories, removed whatever ends the work on them, even if this process exits at once.

Imports only cheap modules: `Signals` needs it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_unfinished: "set[Path]" = set()
_made: "set[Path]" = set()
_TRIES = 3
"""At a directory that another thread or a dying child still writes to."""


@contextmanager
def removing_unfinished(path: "Path") -> Iterator[None]:
    """Remove what is at `path`, and what the block leaves there: what it has finished it has renamed."""
    discard(path)
    with removing(path):
        yield


@contextmanager
def removing(path: "Path") -> Iterator[None]:
    """Remove `path` at the end of the block."""
    _unfinished.add(path)
    try:
        yield
    finally:
        discard(path)
        _unfinished.discard(path)


@contextmanager
def removing_empty(directories: "Iterable[Path]") -> Iterator[None]:
    """Remove those of `directories` that the block has made and that are empty at its end."""
    made = {directory for directory in directories if not directory.exists()}
    _made.update(made)
    try:
        yield
    finally:
        _remove_empty(made)
        _made.difference_update(made)


def remove() -> None:
    """Remove what is unfinished: this process exits."""
    for path in tuple(_unfinished):
        for _ in range(_TRIES):
            discard(path)
    _remove_empty(tuple(_made))


def _remove_empty(directories: "Iterable[Path]") -> None:
    for directory in sorted(directories, key=lambda path: -len(path.parts)):  # the inner ones first
        with suppress(OSError):
            directory.rmdir()


def discard(path: "Path") -> None:
    """Remove the file or the directory at `path`, if there is one and as far as that is allowed."""
    import shutil  # noqa: PLC0415 - takes its time

    with suppress(OSError):  # most often it is a directory
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)
