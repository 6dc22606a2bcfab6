"""Keeps freed memory: every step of a training asks for the same gigabytes again.

By default glibc gives big blocks back to the kernel, and a fifth of a step goes into clearing pages anew.
Source: mallopt(3); the numbers are those of malloc.h.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """For the rest of the process and the threads that it has not begun yet. Does nothing with another C library."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # One arena: only the first can grow to the size of such a block.
    for parameter, value in ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER)):
        mallopt(parameter, value)
