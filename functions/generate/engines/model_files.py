"""Write models with libraries in Rust and C++: turn their errors into OSError, and apply the umask to their files."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WEIGHTS = ".safetensors"
_NUMBER = re.compile(r"os error (\d+)")
"""How Rust words an error of the operating system."""
_FULL = 64 * 1024
"""Bytes; a disk with less free space is considered full."""


@contextmanager
def write_errors_named(directory: Path) -> Iterator[None]:
    """Raise an OSError that names `directory` in place of the libraries' errors when they can't write to it.

    Afterwards the files in `directory` have the permissions of the umask.
    """
    try:
        yield
        _share(directory)
    except Exception as error:
        if not _is_theirs(error):
            raise
        raise _explained(error, directory) from None


def _is_theirs(error: Exception) -> bool:
    """Return whether a library raised it: OpenVINO RuntimeError, tokenizers Exception, safetensors its own."""
    kind = type(error)
    return isinstance(error, RuntimeError) or kind is Exception or kind.__name__ == "SafetensorError"


def _share(directory: Path) -> None:
    """Give the files of safetensors, which have mode 0600, the mode of any new file."""
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
