"""Directories that are made once, whole or not at all, whoever else makes them at the same time."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def made_once(directory: Path, *, is_ready: Callable[[], bool], make: Callable[[Path], None]) -> None:
    """Let `make` fill an empty directory that then becomes `directory`, unless it `is_ready`. Raises OSError."""
    if is_ready():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    # The lock's owner alone writes, into a folder beside; the rename makes it whole or absent.
    with FileLock(f"{directory}.lock"):
        if is_ready():
            return
        unfinished = Path(f"{directory}.partial")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        make(unfinished)
        shutil.rmtree(directory, ignore_errors=True)
        unfinished.rename(directory)
