"""Keeps freed memory: every step of a training asks for the same gigabytes again.

By default glibc gives big blocks back to the kernel, and a fifth of a step goes into clearing pages anew.
Source: mallopt(3); the numbers are those of malloc.h.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """For the rest of the process. Does nothing where the C library is another one."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # One arena, as those of threads are too small for a block, and only the first can grow.
    for parameter, value in ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER)):
        mallopt(parameter, value)
