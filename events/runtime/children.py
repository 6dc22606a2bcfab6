"""Processes that end with this one, even if it has to leave at once."""

import os
import signal
import sys
from contextlib import suppress

_tied: set[int] = set()


def tie(pid: int) -> None:
    """The leader of a process group; the group is killed if we leave before `untie`."""
    _tied.add(pid)


def untie(pid: int) -> None:
    _tied.discard(pid)


def kill() -> None:
    """All of them, and what `multiprocessing` has started."""
    for pid in tuple(_tied):
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    if multiprocessing := sys.modules.get("multiprocessing"):
        with suppress(Exception):
            for child in multiprocessing.active_children():
                child.kill()
