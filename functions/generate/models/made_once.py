"""Directories that are made once, whole or not at all, even if several processes make them at the same time."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from events.files import PARTIAL, fill_whole


def made_once(directory: Path, *, is_ready: Callable[[], bool], make: Callable[[Path], None]) -> None:
    """Let `make` fill an empty directory that then becomes `directory`, unless it `is_ready`. Raises OSError.

    What killed processes have left unfinished beside `directory` is removed.
    """
    sweep(directory.parent)
    if is_ready():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _lock(directory):
        if not is_ready():
            fill_whole(directory, make)


def sweep(parent: Path) -> None:
    """Remove every partial directory in `parent` that no process is filling. Call it for a directory of ours only."""
    for partial in parent.glob(f"*{PARTIAL}"):
        # A cache that can't be written to may still have what is needed.
        with suppress(OSError, Timeout), _lock(partial.with_suffix(""), timeout=0):
            shutil.rmtree(partial, ignore_errors=True)


def _lock(directory: Path, timeout: float = -1) -> FileLock:
    return FileLock(f"{directory}.lock", timeout=timeout)
