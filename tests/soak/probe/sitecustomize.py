"""Let a process of the product count what is inside it, when it is asked to by a signal: the product has no way to.

Python imports this by itself from a directory on PYTHONPATH. SIGUSR1 counts. SIGUSR2 tidies up first, and counts the
objects by type as well. The counts go to `PID.SIGNAL.json` in the directory that SOAK_CENSUS names.

To tidy up is to collect garbage, and to fill the cache of pydantic's JSON parser, which keeps up to 16,384 short
strings and would grow up to that for hours. With SOAK_EMPTY the bounded caches of functools are emptied too.
"""

import functools
import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

MOST = 40
"""Types that are named, those with the most objects."""
FILLING = json.dumps([f"{number}" for number in range(200_000)]).encode()


def _count(number: int, _frame: object) -> None:
    if number == signal.SIGUSR2:
        _tidy()
    tasks = _tasks()
    counts = {"blocks": sys.getallocatedblocks(), "tasks": sum(tasks.values())}
    if number == signal.SIGUSR2:
        counts |= {"task_names": dict(tasks), "types": _types()}
    to = Path(os.environ["SOAK_CENSUS"]) / f"{os.getpid()}.{number}.json"
    part = to.with_suffix(".part")
    part.write_text(json.dumps(counts))
    part.replace(to)


def _tidy() -> None:
    if "SOAK_EMPTY" in os.environ:
        gc.unfreeze()  # what is frozen can't be found
        for one in gc.get_objects():
            if isinstance(one, functools._lru_cache_wrapper) and one.cache_info().maxsize is not None:
                one.cache_clear()
    if parser := sys.modules.get("pydantic_core"):
        parser.from_json(FILLING)
    gc.collect()


def _tasks() -> Counter[str]:
    """How many tasks the event loop has, by the name of what they run."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return Counter()
    return Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())


def _types() -> dict[str, int]:
    """Of the objects that the garbage collector knows."""
    return dict(
        Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects()).most_common(MOST)
    )


if "SOAK_CENSUS" in os.environ:
    signal.signal(signal.SIGUSR1, _count)
    signal.signal(signal.SIGUSR2, _count)
