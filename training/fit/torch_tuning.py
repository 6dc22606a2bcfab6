"""Make torch train faster: compile layers, and keep freed memory."""

import ctypes
import os
from shutil import which

import torch
from torch.nn import Module
from transformers.modeling_layers import GradientCheckpointingLayer

from events.errors import SettingsError

BACKEND = "inductor"


def compile_layers(model: Module) -> None:
    """Compile the layers of `model` in place when they first run, once for equal layers and for packs of any size.

    Many small operations become one pass over memory.

    Raises
    ------
    SettingsError
        One line: there is no compiler.
    """
    compilers = os.environ.get("CXX"), "g++", "clang++"
    if not torch.cuda.is_available() and not any(which(name) for name in compilers if name):
        raise SettingsError("TRAINING_COMPILE: there is no C++ compiler: install g++, or train without --compile")
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.compile(backend=BACKEND, dynamic=True)


_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Make glibc keep freed memory, in this process and the threads that it starts later; other C libraries ignore it.

    By default glibc returns large blocks to the kernel, and a fifth of a step is spent on clearing new pages.
    Source: mallopt(3); the numbers are those of malloc.h.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # One arena: only the first can grow to that size.
    for parameter, value in ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER)):
        mallopt(parameter, value)
