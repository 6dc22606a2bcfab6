"""A made-up request that steps along where few others do: an answer is then the same, to the bit, alone and in a batch.

With fewer sequences than threads, and no prompt among them, OpenVINO's attention adds up in another order (`exec` in
its executor_pa.cpp), and a matrix product of one row does too. Where activations are rounded, such last bits become
other words. A prompt of two tokens in each of these steps keeps to the order that a full batch has.
"""

import os
from typing import Any

import numpy as np

from functions.generate.engines.quiet_openvino import genai, ov

_NUMBER = 0
"""Jobs count from 1."""
_LEAST = 2


class Companion:
    """Of the requests in `pipeline`, which must have room for one more than it is told of."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._enough = max(_LEAST, os.cpu_count() or 1)
        self._prompt = ov.Tensor(np.ones((1, 2), dtype=np.int64))
        self._config = genai.GenerationConfig(max_new_tokens=1)
        self._handle: Any = None

    def join(self, running: int) -> None:
        """For the next step, if so many requests need one."""
        stepped = self._handle is None or self._handle.get_status() != genai.GenerationStatus.RUNNING
        if stepped:
            self.leave()
        if stepped and running < self._enough:
            self._handle = self._pipeline.add_request(_NUMBER, self._prompt, self._config)

    def leave(self) -> None:
        """A request whose handle is gone is cancelled."""
        self._handle = None
