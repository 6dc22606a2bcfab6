"""Remove unfinished files and directories, even if this process is ended by force.

Imports only cheap modules, because `Signals` needs it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_unfinished: "set[Path]" = set()
_made: "set[Path]" = set()
_TRIES = 3
"""Attempts at a directory that another thread or a dying child may still write to."""


@contextmanager
def removing_unfinished(path: "Path") -> Iterator[None]:
    """Remove what is at `path` before and after the block, which renames what it has finished."""
    discard(path)
    with removing(path):
        yield


@contextmanager
def removing(path: "Path") -> Iterator[None]:
    """Remove what is at `path` after the block."""
    _unfinished.add(path)
    try:
        yield
    finally:
        discard(path)
        _unfinished.discard(path)


@contextmanager
def removing_empty(directories: "Iterable[Path]") -> Iterator[None]:
    """After the block remove those of `directories` that it has created and left empty."""
    made = {directory for directory in directories if not directory.exists()}
    _made.update(made)
    try:
        yield
    finally:
        _remove_empty(made)
        _made.difference_update(made)


def remove() -> None:
    """Remove everything unfinished, as this process exits."""
    for path in tuple(_unfinished):
        for _ in range(_TRIES):
            discard(path)
    _remove_empty(tuple(_made))


def _remove_empty(directories: "Iterable[Path]") -> None:
    for directory in sorted(directories, key=lambda path: -len(path.parts)):  # the inner ones first
        with suppress(OSError):
            directory.rmdir()


def discard(path: "Path") -> None:
    """Remove the file or directory at `path`, if any, as far as permissions allow."""
    import shutil  # noqa: PLC0415 - slow to import

    with suppress(OSError):  # usually a directory
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)
