"""Made-up requests that step along where few others do: an answer is then the same, to the bit, alone and in a batch.

With fewer sequences than threads, and no prompt among them, OpenVINO's attention adds up in another order (`exec` in
its executor_pa.cpp), and a matrix product of one row does too. So there are always as many sequences as threads: each
made-up one writes a block of tokens and begins again. With many threads that would be many, and there is a new prompt
of two tokens in each step instead, which takes longer than one sequence but not than a dozen.
"""

import os
from itertools import count
from typing import Any

import numpy as np

from functions.generate.engines.openvino.aliases import BITS
from functions.generate.engines.openvino.library import genai, ov

_FIRST = 2**40
"""Beyond the numbers of jobs."""
_LEAST = 2
_MANY = 8
"""Threads. Measured with two only."""
_BLOCK = 31
"""Tokens to write after one, in a block of the cache."""


def most() -> int:
    """How many may step along, and how many sequences there are with them."""
    return max(_LEAST, os.cpu_count() or 1)


class Companions:
    """Of the requests in `pipeline`, which must have room for `most()` sequences; `marked`: it takes marks off."""

    def __init__(self, pipeline: Any, *, marked: bool) -> None:
        self._pipeline = pipeline
        self._marked = marked
        self._numbers = count(_FIRST)
        self._enough = most()
        self._handles: list[Any] = []

    def join(self, running: int) -> None:
        """Before a step of `running` requests: as many as these need."""
        missing = max(0, self._enough - running)
        if self._enough > _MANY:
            self._handles = [self._begin(tokens=2, new=1)] if missing else []
            return
        going = [handle for handle in self._handles if handle.get_status() == genai.GenerationStatus.RUNNING]
        self._handles = going[:missing]  # a request whose handle is gone is cancelled
        while len(self._handles) < missing:
            self._handles.append(self._begin(tokens=1, new=_BLOCK))

    def leave(self) -> None:
        self._handles = []

    def _begin(self, *, tokens: int, new: int) -> Any:
        number = next(self._numbers)
        prompt = np.ones((1, tokens), dtype=np.int64)
        if self._marked and tokens > 1:
            prompt[0, 0] |= (1 + number % (2 ** (31 - BITS) - 1)) << BITS  # or it would be read from the cache
        config = genai.GenerationConfig(max_new_tokens=new, ignore_eos=True)
        config.set_eos_token_id(0)
        return self._pipeline.add_request(number, ov.Tensor(prompt), config)
