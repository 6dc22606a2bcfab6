"""llama.cpp in this process, from the wheel `xllamacpp`: all prompts at once, each in a slot, batched continuously."""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xllamacpp

from benchmarks.answer import Answer

GREEDY = {"temperature": 0}
_ERRORS = 1
_CERTAIN = 1000
"""Added to a logit; probabilities are told as they were before."""
_ROW = 256
"""llama.cpp rounds the context of a slot up to a multiple of this many tokens."""


class LlamaCpp:
    """It has as many slots as prompts are asked at once, so that it is at its best with each number of them."""

    def __init__(self, file: Path, length: int, threads: int | None = None) -> None:
        """`length`: tokens of a prompt and its answer; `threads`: one for each core by default."""
        self._file = file
        self._threads = threads or len(os.sched_getaffinity(0))
        self._context = -(-length // _ROW) * _ROW
        self._server: Any = None
        self._slots = 0

    def open(self, slots: int) -> None:
        if slots != self._slots:
            self._server = None  # frees the one before
            self._server, self._slots = xllamacpp.Server(self._params(slots)), slots

    def answers(self, prompts: Sequence[Sequence[int]], new: int, sampling: Mapping[str, Any] = GREEDY) -> list[Answer]:
        """Write `new` tokens to each prompt (tokens, too); a prompt's seed is its number."""
        self.open(len(prompts))
        how = {"n_predict": new, "ignore_eos": True, "cache_prompt": False, **sampling}
        asked = [{"prompt": list(prompt), "seed": seed, **how} for seed, prompt in enumerate(prompts)]
        began = time.perf_counter()
        with ThreadPoolExecutor(len(asked)) as threads:
            return list(threads.map(lambda one: self._answer(one, began), asked))

    def log_probability(self, prompt: Sequence[int], token: int) -> float:
        """The natural logarithm of the probability that `token` comes next; the prompt's beginning stays cached."""
        self.open(1)
        asked = {"prompt": list(prompt), "n_predict": 1, "n_probs": 1, "cache_prompt": True, "temperature": 0}
        written = self._server.handle_completions({**asked, "logit_bias": [[token, _CERTAIN]]})
        if "choices" not in written:
            raise RuntimeError(f"llama.cpp refused: {written}")
        [told] = written["choices"][0]["logprobs"]["content"]
        assert told["id"] == token, told
        return float(told["logprob"])

    def _answer(self, asked: Mapping[str, Any], began: float) -> Answer:
        written = self._server.handle_completions(asked)
        last = time.perf_counter() - began
        if "timings" not in written:
            raise RuntimeError(f"llama.cpp refused: {written}")
        after_the_first = written["timings"]["predicted_ms"] / 1000
        return Answer(last - after_the_first, last, written["usage"]["completion_tokens"])

    def _params(self, slots: int) -> Any:
        params = xllamacpp.CommonParams()
        params.model.path = str(self._file)
        params.n_parallel = slots
        params.n_ctx = slots * self._context
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        params.cont_batching = True
        params.verbosity = _ERRORS  # whoever starts this process may not read its log
        params.cache_ram_mib = 0  # no prompt is asked twice
        return params
