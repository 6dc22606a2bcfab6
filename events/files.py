"""Write files and directories whole or not at all, and resolve and show paths."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from events.runtime.leftovers import removing_unfinished

PARTIAL = ".partial"
_OF_A_NAME = 100
"""Characters of a file's name that its partial file repeats: a name has at most 255 bytes."""


def absolute(path: Path) -> Path:
    """Return `path` independent of the working directory, with `~` expanded; symbolic links stay. Raises ValueError."""
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError) as error:  # no such user, or the working directory is gone
        raise ValueError(str(error)) from None


def display_path(path: Path) -> str:
    """Return `path` relative to the working directory where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def read_problem(path: Path) -> str:
    """Return why a file can't be read, empty if it can. Libraries that open files often leave that out."""
    try:
        with path.open("rb"):
            return ""
    except OSError as error:
        # In a container the user often is not the owner of the file.
        user = f" by user {os.geteuid()}" if isinstance(error, PermissionError) else ""
        return f"{path} can't be read{user} ({error.strerror})"


def write_whole(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Replace the file at `path` by one with `text` in UTF-8, atomically. Raises OSError.

    A new file has `mode`, less the umask. What can't be replaced, such as a pipe, is written to directly.
    """
    if not _replaceable(path):
        path.write_text(text, encoding="utf-8")
        return
    try:
        _replace(Path(os.path.realpath(path)), text.encode(), mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _replace(place: Path, data: bytes, mode: int) -> None:
    partial = place.with_name(f".{place.name[:_OF_A_NAME]}.{os.getpid()}{PARTIAL}")
    with removing_unfinished(partial):
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        partial.replace(place)


def fill_whole(directory: Path, fill: Callable[[Path], None]) -> None:
    """Call `fill` with an empty directory, which then replaces `directory`. Raises OSError.

    Call it from one process at a time: the new directory's name is `directory` with `PARTIAL` added.
    """
    partial = Path(f"{directory}{PARTIAL}")
    with removing_unfinished(partial):
        partial.mkdir()
        fill(partial)
        with suppress(OSError):
            directory.unlink()  # a file, or a link to another directory
        shutil.rmtree(directory, ignore_errors=True)
        partial.rename(directory)


def _replaceable(path: Path) -> bool:
    """Return whether a new file can replace the one at `path`."""
    if not path.exists():
        return True
    if path.absolute().is_relative_to("/dev") or not path.is_file():
        return False  # other processes may write to the file behind /dev/stdout
    place = Path(os.path.realpath(path))
    return os.access(place.parent, os.W_OK | os.X_OK) and not os.path.ismount(place)
