"""torch.compile for training: it makes one pass over memory of what are many small operations otherwise."""

import os
from shutil import which

import torch
from torch.nn import Module
from transformers.modeling_layers import GradientCheckpointingLayer

from events.errors import SettingsError

BACKEND = "inductor"


def compile_layers(model: Module) -> None:
    """Compile each layer of `model` in place when it first runs, once for all that are alike and for packs of any size.

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
