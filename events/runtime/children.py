"""Child processes that are killed when this process exits, even if it exits at once."""

import os
import signal
import sys
from contextlib import suppress

_tied: set[int] = set()


def tie(pid: int) -> None:
    """Register the leader of a process group: the group is killed if this process exits before `untie`."""
    _tied.add(pid)


def untie(pid: int) -> None:
    """Forget a process group that has ended."""
    _tied.discard(pid)


def kill() -> None:
    """Kill every registered group, and the children that `multiprocessing` has started."""
    for pid in tuple(_tied):
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    if multiprocessing := sys.modules.get("multiprocessing"):
        with suppress(Exception):
            for child in multiprocessing.active_children():
                child.kill()
