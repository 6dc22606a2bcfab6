"""How fast this machine reads memory with all its cores, which no way to generate one token at a time can beat.

`python -m benchmarks.bandwidth` measures once for every line that it reads, so that a timing can have one right beside
it: on a machine that others use as well it changes by half within a minute.
"""

import statistics
import sys
import time
from collections.abc import Sequence

import torch

_FLOATS = 2**27
"""512 MiB, more than any cache."""
_PASSES = 3


def bytes_per_second() -> float:
    """The best of some passes, each over a big array once."""
    return _measured(torch.ones(_FLOATS))


def _measured(numbers: torch.Tensor) -> float:
    best = float("inf")
    for _ in range(_PASSES):
        began = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - began)
    return numbers.nbytes / best


def figures(measured: Sequence[float]) -> dict[str, float]:
    """Of several measurements in bytes a second the median and the range, in GB a second."""
    low, middle, high = min(measured), statistics.median(measured), max(measured)
    return {
        "bandwidth_gb_per_second": round(middle / 1e9, 1),
        "bandwidth_lowest": round(low / 1e9, 1),
        "bandwidth_highest": round(high / 1e9, 1),
    }


def main() -> None:
    """Answer each line of stdin."""
    numbers = torch.ones(_FLOATS)
    for _ in sys.stdin:
        print(_measured(numbers), flush=True)  # noqa: T201 -- read by limits.py


if __name__ == "__main__":
    main()
