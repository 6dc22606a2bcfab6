"""Keep answers the same, to the bit, alone and in a batch: aliases of tokens, and companion requests.

OpenVINO's attention adds up in one order for a token alone and in another for several at once (executor_pa.cpp), and
the last bits differ.

Aliases: a token is alone when it is written, and when a prompt is in GenAI's prefix cache up to one token. So the two
tokens at the end of a prompt are always read anew, together, and so is what was written after a prompt when it comes
back in the next one: one of the two gets another number in each job, and no cache takes it for another job's. The graph
takes these marks off again.

Companions: with fewer sequences than threads, and no prompt among them, attention adds up in another order (`exec` in
the same file), and a matrix product of one row does too. So made-up requests fill up the batch to as many sequences as
threads: each writes a block of tokens and begins again. With many threads there is a new prompt of two tokens in each
step instead, which takes longer than one sequence but not than a dozen.
"""

import os
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.library import genai, ov
from functions.generate.engines.openvino.protocol import Job

ALIAS_BITS = 20
"""Of a token's own number; larger vocabularies have no aliases."""
ALIAS_NODE = "token of an alias"
"""The name of the graph's operation that takes marks off."""
_MARKS = 2**11 - 1
"""What is left above a token's number in 31 bits, OpenVINO's integers; 0 is no mark."""
_FIRST_NUMBER = 2**40
"""Of companions, beyond the numbers of jobs."""
_MIN_SEQUENCES = 2
_MANY_THREADS = 8
"""Measured with two threads only."""
_BLOCK = 31
"""Tokens to write after one, in a block of the cache."""


def knows_aliases(directory: Path) -> bool:
    """Return whether the prepared model in `directory` takes marks off."""
    return ALIAS_NODE.encode() in (directory / "openvino_model.xml").read_bytes()


def with_aliases(ids: NDArray[np.int64], job: Job) -> NDArray[np.int64]:
    """Return `ids`, the prompt of `job`, with its mark and those of earlier stages, so that the cache has these."""
    found = ids.copy()
    for number, length in (*job.earlier, (job.number, len(ids))):
        for place, mark in ((length - 2, 1 + number % _MARKS), (length - 3, number // _MARKS % _MARKS)):
            if place >= 0:
                found[place] = (ids[place] & (1 << ALIAS_BITS) - 1) | mark << ALIAS_BITS
    return found


def max_companions() -> int:
    """Return how many companions there may be, which is also how many sequences each step has at least."""
    return max(_MIN_SEQUENCES, os.cpu_count() or 1)


class Companions:
    """Made-up requests in `pipeline`, which needs room for `max_companions()` of them."""

    def __init__(self, pipeline: Any, *, aliases: bool) -> None:
        """`aliases`: the model knows them."""
        self._pipeline = pipeline
        self._aliases = aliases
        self._numbers = count(_FIRST_NUMBER)
        self._enough = max_companions()
        self._handles: list[Any] = []

    def join(self, running: int) -> None:
        """Add or drop companions for a step of `running` requests."""
        missing = max(0, self._enough - running)
        if self._enough > _MANY_THREADS:
            self._handles = [self._begin(tokens=2, new=1)] if missing else []
            return
        going = [handle for handle in self._handles if handle.get_status() == genai.GenerationStatus.RUNNING]
        self._handles = going[:missing]  # a request whose handle is gone is cancelled
        while len(self._handles) < missing:
            self._handles.append(self._begin(tokens=1, new=_BLOCK))

    def leave(self) -> None:
        """Cancel all of them."""
        self._handles = []

    def _begin(self, *, tokens: int, new: int) -> Any:
        number = next(self._numbers)
        prompt = np.ones((1, tokens), dtype=np.int64)
        if self._aliases and tokens > 1:
            prompt[0, 0] |= (1 + number % (2 ** (31 - ALIAS_BITS) - 1)) << ALIAS_BITS  # or the cache would have it
        config = genai.GenerationConfig(max_new_tokens=new, ignore_eos=True)
        config.set_eos_token_id(0)
        return self._pipeline.add_request(number, ov.Tensor(prompt), config)
