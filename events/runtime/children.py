"""Child processes that are killed when this process exits, even if it exits at once or is killed."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG, see prctl(2)."""

_groups: set[int] = set()


def kill_with_parent() -> Callable[[], None] | None:
    """Return a `preexec_fn` that makes the system kill the child when this thread ends; None if it can't."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - slow to import

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def begin() -> None:
        prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before prctl
            os._exit(1)

    return begin


def register_group(pid: int) -> None:
    """Have the process group that `pid` leads killed if this process exits before `unregister_group`."""
    _groups.add(pid)


def unregister_group(pid: int) -> None:
    """Forget a process group that has ended."""
    _groups.discard(pid)


def kill_all() -> None:
    """Kill the registered groups and the children that `multiprocessing` has started."""
    for pid in tuple(_groups):
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    if multiprocessing := sys.modules.get("multiprocessing"):
        with suppress(Exception):
            for child in multiprocessing.active_children():
                child.kill()
