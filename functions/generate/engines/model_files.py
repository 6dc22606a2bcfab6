"""Libraries in Rust and C++ write models their own way: a full disk is no OSError, and a file is its owner's alone."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WEIGHTS = ".safetensors"
_NUMBER = re.compile(r"os error (\d+)")
"""Rust's words."""
_FULL = 64 * 1024
"""Bytes that are free at most when a file could not grow."""


@contextmanager
def write_errors_named(directory: Path) -> Iterator[None]:
    """Raise an OSError that names `directory` for what the libraries raise when they can't write to it.

    Afterwards others may read in `directory` what the umask lets them.
    """
    try:
        yield
        _share(directory)
    except Exception as error:
        if not _is_theirs(error):
            raise
        raise _explained(error, directory) from None


def _is_theirs(error: Exception) -> bool:
    """OpenVINO raises RuntimeError, tokenizers just that, and safetensors, which need not be here, its own."""
    kind = type(error)
    return isinstance(error, RuntimeError) or kind is Exception or kind.__name__ == "SafetensorError"


def _share(directory: Path) -> None:
    """safetensors makes its files 0600: give them the mode of any new file in their place."""
    files = [file for file in directory.rglob(f"*{_WEIGHTS}") if file.is_file()]
    if not files:
        return
    new = directory / f".mode{_WEIGHTS}"
    new.touch()
    mode = new.stat().st_mode
    new.unlink()
    for file in files:
        file.chmod(mode)


def _explained(error: Exception, directory: Path) -> OSError:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if known := _NUMBER.search(said):
        number = int(known[1])
    elif shutil.disk_usage(directory).free < _FULL:
        number = errno.ENOSPC
    else:
        return OSError(errno.EIO, said, str(directory))
    return OSError(number, os.strerror(number), str(directory))
