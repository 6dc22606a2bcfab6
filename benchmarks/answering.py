"""An engine that answers when it is asked to: `python answering.py`, for `GENERATE_…` and TIMOKHA_CACHE.

It is run by its path, so that it works with the modules of another checkout too, a baseline's: it may use only what
both have. Says first which model it serves and how, then for each question, a line of JSON:
`{"prompts": [[310, 4000], …], "new": 60}`, how long so many answers took at once.
"""

import asyncio
import json
import statistics
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from typing import Any

from events.runtime.clock import SystemClock
from functions.generate.app import open_engine
from functions.generate.settings import GenerateSettings

_NUMBERS = count(1)
_HERE, _BASELINES = "functions.generate.engines.openvino.protocol", "functions.generate.engines.jobs"
"""The modules of `Job`."""
_NEVER = frozenset({0})
"""The padding, which no model writes: every answer is of full length."""


def _asked(batch: Any, prompts: list[list[int]], new: int) -> dict[str, float]:
    job = _job()
    began = time.perf_counter()
    futures = [
        batch.submit(
            job(next(_NUMBERS), prompt, new, _NEVER, presence_penalty=1.4, temperature=0.7, top_k=50, top_p=0.9, seed=n)
        )
        for n, prompt in enumerate(prompts)
    ]
    written = [future.result() for future in futures]
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "tokens": sum(len(one.tokens) for one in written),
        "first": statistics.median(one.prompt_seconds for one in written),
    }


def _job() -> Any:
    is_baseline = find_spec(_BASELINES) is not None
    return import_module(_BASELINES if is_baseline else _HERE).Job


def main() -> None:
    """Answer each line of stdin."""
    engine: Any = asyncio.run(open_engine(GenerateSettings.read(), clock=SystemClock()))
    batch = engine._batch
    model = getattr(batch, "model", None) or batch._model
    _asked(batch, [[*range(300, 340)]], 60)
    environment = dict(getattr(model, "environment", None) or {})
    _say({"directory": model.directory, "properties": model.properties, "environment": environment})
    for line in sys.stdin:
        _say(_asked(batch, **json.loads(line)))


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 -- read by default_model.py


if __name__ == "__main__":
    main()
