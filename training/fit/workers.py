"""Compute with several packs at once, each on its share of the processor's cores.

Two packs on a core each take less time than two cores on one pack after the other: an operation on a few hundred tokens
takes microseconds, and cores that share it wait for each other before the next one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch.nn import Dropout, Module

from training.fit.gemma import are_fused
from training.settings import FitSettings

Given = TypeVar("Given")
Found = TypeVar("Found")
Map = Callable[[Callable[[Given], Found], Sequence[Given]], Iterable[Found]]


def count_workers(model: Module, settings: FitSettings) -> int:
    """Return how many packs of a step are computed at once.

    One where that would not be faster, would need several times the memory, or would draw random numbers in an order
    that differs from run to run.
    """
    compiled = settings.compile and not are_fused(model)
    alone = torch.cuda.is_available() or compiled or settings.method == "full" or _draws(model)
    return 1 if alone else min(settings.packs, torch.get_num_threads())


def _draws(model: Module) -> bool:
    dropouts = (module.p for module in model.modules() if isinstance(module, Dropout))
    return any(dropouts) or bool(getattr(getattr(model, "config", None), "attention_dropout", 0))


@contextmanager
def parallel_map(workers: int) -> Iterator[Map[Any, Any]]:
    """Yield a `map` that calls a function for several values at once and returns the results in their order."""
    if workers == 1:
        yield map
        return
    share = max(torch.get_num_threads() // workers, 1)
    with ThreadPoolExecutor(workers, "pack", initializer=torch.set_num_threads, initargs=(share,)) as threads:
        yield threads.map
