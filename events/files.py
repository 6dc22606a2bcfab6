"""Files and directories that are written whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from events.runtime.leftovers import unfinished

PARTIAL = ".partial"
_OF_A_NAME = 100
"""Characters of a file's name in that of its partial one: a name has at most 255 bytes."""


def write_whole(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write `text`, in UTF-8, to `path`: what was there stays until all of it is. Raises OSError.

    A new file has `mode`, less the umask. What can't be replaced, such as a pipe, is written to as it is.
    """
    place = Path(os.path.realpath(path))
    if not _replaceable(place):
        place.write_text(text, encoding="utf-8")
        return
    try:
        _replace(place, text.encode(), mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _replace(place: Path, data: bytes, mode: int) -> None:
    partial = place.with_name(f".{place.name[:_OF_A_NAME]}.{os.getpid()}{PARTIAL}")
    with unfinished(partial):
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        partial.replace(place)


def fill_whole(directory: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write to an empty directory, which then takes the place of `directory`. Raises OSError.

    Call it from one process at a time: the other directory has `PARTIAL` added to its name.
    """
    partial = Path(f"{directory}{PARTIAL}")
    with unfinished(partial):
        partial.mkdir()
        fill(partial)
        shutil.rmtree(directory, ignore_errors=True)
        partial.rename(directory)


def _replaceable(place: Path) -> bool:
    """Return whether a new file may take the place: not where only the file itself may be written to."""
    if place.exists() and (not place.is_file() or os.path.ismount(place)):
        return False
    return os.access(place.parent, os.W_OK | os.X_OK) or not place.exists()
