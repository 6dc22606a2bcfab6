"""OpenVINO GenAI as its documentation shows it: a pipeline with continuous batching, and its defaults.

So its arithmetic is the plugin's own choice (bfloat16 where the processor has it, activations and the KV cache in 8
bits), and what an answer is depends on the others in the batch. The weights are ours: 8 bits a row, as in the models
that its documentation has exported.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answer import Answer
from functions.generate.engines.openvino.library import genai, ov

_OWN_GROUPS = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "32"}
"""The plugin's default, in place of what our models say."""


class Documented:
    def __init__(self, directory: Path) -> None:
        scheduler = genai.SchedulerConfig()
        self._pipeline: Any = genai.ContinuousBatchingPipeline(str(directory), scheduler, "CPU", _OWN_GROUPS)

    def answers(self, prompts: Sequence[Sequence[int]], new: int, **sampling: Any) -> list[Answer]:
        """Write `new` tokens to each prompt (tokens, too), by default greedily; a prompt's seed is its number."""
        rows = [ov.Tensor(np.array([prompt], dtype=np.int64)) for prompt in prompts]
        configs = [
            genai.GenerationConfig(max_new_tokens=new, ignore_eos=True, rng_seed=seed, **sampling)
            for seed in range(len(rows))
        ]
        began = time.perf_counter()
        written = self._pipeline.generate(rows, configs)
        last = time.perf_counter() - began
        return [Answer(one.perf_metrics.get_ttft().mean / 1000, last, len(one.m_generation_ids[0])) for one in written]
