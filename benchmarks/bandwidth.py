"""How fast this machine reads memory with all its cores: what no way to generate can beat, one token at a time."""

import time

import torch

_FLOATS = 2**27
"""512 MiB, more than any cache."""
_PASSES = 8


def bytes_per_second() -> float:
    """The best of some passes, each over a big array once."""
    numbers = torch.ones(_FLOATS)
    best = float("inf")
    for _ in range(_PASSES):
        began = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - began)
    return 4 * _FLOATS / best


if __name__ == "__main__":
    print(bytes_per_second())  # noqa: T201 -- read by engines.py
