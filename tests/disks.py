"""Small disks that fill up, and files that are damaged while nobody has them open."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BIT = 0x10
SIZES = (1 << 20, 4096, 256, 16, 1)
"""Of the pieces that fill a disk, so that no byte is left."""


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Mount an empty disk of `size`, e.g. `24m`, at `place`. Skips the test where that is not permitted."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk. Returns the file to delete."""
    file = disk / "filling"
    with file.open("wb", buffering=0) as opened:
        for size in SIZES:
            try:
                while opened.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return file


def newest_block(store: Path, stream: str) -> Path:
    """Return the file to which a server without accounts last wrote messages of a stream."""
    blocks = (store / "jetstream/$G/streams" / stream / "msgs").glob("*.blk")
    return max(blocks, key=lambda block: int(block.stem))


def flip_bit(file: Path, share: float) -> None:
    """Flip one bit at this share of a file's length."""
    with file.open("r+b") as opened:
        place = int(os.path.getsize(file) * share)
        opened.seek(place)
        [byte] = opened.read(1)
        opened.seek(place)
        opened.write(bytes([byte ^ BIT]))


def cut_off(file: Path, count: int) -> None:
    """Cut off the last bytes of a file, as when the machine died while they were written."""
    os.truncate(file, os.path.getsize(file) - count)


def garble_end(file: Path, count: int) -> None:
    """Overwrite the last bytes of a file with zeros."""
    with file.open("r+b") as opened:
        opened.seek(-count, os.SEEK_END)
        opened.write(bytes(count))
