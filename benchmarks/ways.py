"""One way to generate, timed in a process of its own: `python -m benchmarks.ways WAY [N…]`, N requests at once.

On the weights of weights.py; every request has 40 tokens of prompt and gets 60 new ones. Prints JSON: for each N,
seconds to the first token and to all of the answer (p50 and p99 over the requests) and until the last one is done;
seconds from the start of the process to its first answer; peak memory.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psutil

from benchmarks.memory import peak_memory_mb
from benchmarks.weights import CTRANSLATE2, LLAMA_CPP, REFERENCE, VOCABULARY, openvino
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import Job
from functions.generate.engines.transformers import engine
from functions.generate.settings import Arithmetic

PROMPT, NEW = 40, 60
CROWDS = (1, 8, 20, 32)
REPEATS = 3
"""Times one request alone is timed; the median counts."""

Timed = tuple[list[float], list[float]]
"""Seconds to each request's first token, and to its last."""


def prompts(count: int, seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [[int(token) for token in random.integers(10, VOCABULARY, PROMPT)] for _ in range(count)]


def transformers(dtype: str, *, compiled: bool = False, **how: Any) -> Callable[[int, int], Timed]:
    """One answer after the other. Compiled, the cache has a fixed size, or every token would compile anew."""
    import torch  # noqa: PLC0415 -- only these ways need it
    from transformers import GenerationConfig, GPT2LMHeadModel  # noqa: PLC0415

    model: Any = GPT2LMHeadModel.from_pretrained(REFERENCE, dtype=getattr(torch, dtype)).eval()
    config = GenerationConfig(max_new_tokens=NEW, min_new_tokens=NEW, pad_token_id=0, **how)
    if compiled:
        config.cache_implementation = "static"
        model.forward = torch.compile(model.forward, dynamic=True)

    def run(count: int, seed: int) -> Timed:
        last, began = [], time.perf_counter()
        for prompt in prompts(count, seed):
            ids = torch.tensor([prompt])
            with torch.inference_mode():
                model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
            last.append(time.perf_counter() - began)
        return last, last

    return run


def ctranslate2() -> Callable[[int, int], Timed]:
    """All in one batch; greedy, as it crashes on beams with sampling. The first token's time is not told."""
    import ctranslate2  # noqa: PLC0415 -- only this way needs it

    generator = ctranslate2.Generator(str(CTRANSLATE2), compute_type="int8", intra_threads=len(os.sched_getaffinity(0)))

    def run(count: int, seed: int) -> Timed:
        words = [[f"w{token}" for token in prompt] for prompt in prompts(count, seed)]
        began = time.perf_counter()
        generator.generate_batch(words, max_length=NEW, min_length=NEW, include_prompt_in_result=False)
        last = [time.perf_counter() - began] * count
        return last, last

    return run


def batch(bits: int, arithmetic: Arithmetic) -> Callable[[int, int], Timed]:
    model = model_spec(openvino(bits), max(CROWDS), PROMPT, PROMPT + NEW, arithmetic)
    process = Batch(model)
    process.wait()

    def run(count: int, seed: int) -> Timed:
        jobs = [
            Job(seed * 1000 + number, prompt, NEW, frozenset()) for number, prompt in enumerate(prompts(count, seed))
        ]
        written = [future.result() for future in [process.submit(job) for job in jobs]]
        first = [one.prompt_seconds for one in written]
        return first, [one.prompt_seconds + one.generation_seconds for one in written]

    return run


def llama_cpp() -> Callable[[int, int], Timed]:
    from benchmarks.llama_cpp import LlamaCpp  # noqa: PLC0415 -- only this way needs its wheel

    return _answered(LlamaCpp(LLAMA_CPP, PROMPT + NEW))


def documented() -> Callable[[int, int], Timed]:
    from benchmarks.genai import Documented  # noqa: PLC0415 -- only this way

    return _answered(Documented(openvino(8)))


def _answered(way: Any) -> Callable[[int, int], Timed]:
    def run(count: int, seed: int) -> Timed:
        answers = way.answers(prompts(count, seed), NEW)
        return [one.first for one in answers], [one.last for one in answers]

    return run


ORIGINAL = "original"
WAYS: dict[str, tuple[Callable[[], Callable[[int, int], Timed]], tuple[int, ...]]] = {
    ORIGINAL: (
        lambda: transformers("float32", **engine.ORIGINAL_DECODING),
        (1,),
    ),
    "transformers-float32": (lambda: transformers("float32", do_sample=False), (1,)),
    "transformers-bfloat16": (lambda: transformers("bfloat16", do_sample=False), (1,)),
    "transformers-bfloat16-compiled": (lambda: transformers("bfloat16", compiled=True, do_sample=False), (1,)),
    "ctranslate2-int8": (ctranslate2, CROWDS),
    "llamacpp-q8_0": (llama_cpp, CROWDS),
    "genai-documented": (documented, CROWDS),
    "openvino-int8-exact": (lambda: batch(8, Arithmetic.EXACT), CROWDS),
    "openvino-int8-fast": (lambda: batch(8, Arithmetic.FAST), CROWDS),
    "openvino-int4-exact": (lambda: batch(4, Arithmetic.EXACT), CROWDS),
    "openvino-int4-fast": (lambda: batch(4, Arithmetic.FAST), (1, 32)),
}
"""Name → what opens it, and for how many requests at once it is timed. `auto` is one of the others."""

ONLY_BY_NAME = {"transformers-bfloat16-compiled", "openvino-int4-exact"}
"""The first compiles for a minute; the second is no faster than 8 bits."""


def measure(way: str, crowds: Sequence[int] = ()) -> dict[str, Any]:
    """`crowds`: numbers of requests at once, all that the way is made for if empty."""
    opens, all_crowds = WAYS[way]
    run = opens()
    slow = way == ORIGINAL  # half a minute each
    if not slow:
        run(1, 1)
    result: dict[str, Any] = {} if slow else {"first_answer_seconds": round(time.time() - _started(), 2)}
    for crowd in crowds or all_crowds:
        repeats = REPEATS if crowd == 1 and not slow else 1
        timed = [run(crowd, 10 * crowd + number) for number in range(repeats)]
        first, last = sorted(timed, key=lambda one: max(one[1]))[repeats // 2]
        result[str(crowd)] = {
            "first_token_p50": _share(first, 50),
            "first_token_p99": _share(first, 99),
            "answer_p50": _share(last, 50),
            "answer_p99": _share(last, 99),
            "all_seconds": round(max(last), 3),
            "tokens_per_second": round(crowd * NEW / max(last), 1),
        }
    return {**result, "peak_memory_mb": peak_memory_mb()}


def _started() -> float:
    """When this process was."""
    return psutil.Process().create_time()


def _share(values: list[float], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 3)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], [int(crowd) for crowd in sys.argv[2:]])))  # noqa: T201 -- read by engines.py
