"""What a layer computes besides products, in bfloat16 by `kernels.c`: each in one pass over memory.

A C compiler is needed; it takes half a second. Without one, `operations.py` computes the same with torch.
"""

import ctypes
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

SOURCE = Path(__file__).with_suffix(".c")
_FLAGS = (
    *("-O3", "-march=native", "-mprefer-vector-width=512", "-shared", "-fPIC"),
    # Sums in another order, so that they are vectorised. Not -ffast-math: it also makes a process round tiny numbers
    # to 0, and lose what is not a number.
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros", "-freciprocal-math"),
)
_SECONDS = 60


@lru_cache(maxsize=1)
def compiled() -> ctypes.CDLL | None:
    """Return the compiled library, or None if there is no compiler that can make it."""
    compiler = next(filter(None, map(which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
    if compiler is None:
        return None
    with TemporaryDirectory() as place:
        library = Path(place) / "kernels.so"
        command = [compiler, *_FLAGS, str(SOURCE), "-o", str(library), "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)  # noqa: S603 - our own source
            return ctypes.CDLL(str(library))
        except (OSError, subprocess.SubprocessError):
            return None


class Kernels:
    """The operations of `operations.py`, on bfloat16 tensors of a processor."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def normalise(self, x: Tensor, gain: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
        x, (rows, width) = x.contiguous(), x.shape
        out, inverse = torch.empty_like(x), torch.empty(rows)
        self._library.normalise(*_given(x, gain, out, inverse, rows, width, epsilon))
        return out, inverse

    def normalise_backward(self, gradient: Tensor, x: Tensor, gain: Tensor, inverse: Tensor) -> Tensor:
        x, gradient, out = x.contiguous(), gradient.contiguous(), torch.empty_like(gradient)
        self._library.normalise_backward(*_given(gradient, x, gain, inverse, out, *x.shape))
        return out

    def normalise_and_rotate(
        self, x: Tensor, gain: Tensor, epsilon: float, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        x, (tokens, heads, width) = x.contiguous(), x.shape
        out, inverse = torch.empty_like(x), torch.empty(tokens * heads)
        given = _given(x, gain, cos, sin, out, inverse, tokens, heads, width, epsilon)
        self._library.normalise_and_rotate(*given)
        return out, inverse

    def normalise_and_rotate_backward(
        self, gradient: Tensor, x: Tensor, gain: Tensor, inverse: Tensor, *waves: Tensor
    ) -> Tensor:
        x, gradient, out = x.contiguous(), gradient.contiguous(), torch.empty_like(gradient)
        given = _given(gradient, x, gain, *waves, inverse, out, *x.shape)
        self._library.normalise_and_rotate_backward(*given)
        return out

    def gate(self, gate: Tensor, up: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        gate, up, out = gate.contiguous(), up.contiguous(), torch.empty_like(gate)
        self._library.gate(*_given(gate, up, out, gate.numel()))
        return out, (gate,)

    def gate_backward(self, gradient: Tensor, up: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        gradient, of_gate, of_up = gradient.contiguous(), torch.empty_like(gate), torch.empty_like(gate)
        self._library.gate_backward(*_given(gradient, gate, up.contiguous(), of_gate, of_up, gate.numel()))
        return of_gate, of_up

    def softmax(self, scores: Tensor, queries: int, before: int, window: int) -> Tensor:
        rows, keys = scores.shape
        self._library.softmax(*_given(scores, queries, rows // queries, keys, before, window))
        return scores

    def softmax_backward(self, gradient: Tensor, shares: Tensor) -> Tensor:
        self._library.softmax_backward(*_given(gradient, shares, *shares.shape))
        return gradient


def _given(*values: Tensor | int | float) -> list[Any]:
    """Return the arguments as C takes them."""
    return [_argument(value) for value in values]


def _argument(value: Tensor | int | float) -> Any:
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    return ctypes.c_long(value) if isinstance(value, int) else ctypes.c_float(value)
