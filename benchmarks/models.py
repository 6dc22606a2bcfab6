"""What a model of a known size costs on this machine: `python -m benchmarks.models NAME ENGINE`.

NAME is one of SHAPES (a published model's configuration with random weights: they take the same time, memory and disk
as real ones), a model directory, or `default`. ENGINE is `openvino-8`, `openvino-4` or `transformers`. Prints a line
of JSON, which docs/models.md quotes; the speed of the memory is measured in between.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM, Gemma3TextConfig, PreTrainedConfig, Qwen3Config

from benchmarks.bandwidth import bytes_per_second
from benchmarks.limits import Work
from benchmarks.memory import high_water_mb
from benchmarks.weights import HERE, words
from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import Job
from functions.generate.engines.transformers.engine import TransformersEngine
from functions.generate.models.card import ModelCard
from functions.generate.models.preparing import prepare_model
from functions.generate.prompts.formats import FormatName
from functions.generate.settings import GenerateSettings

NEW, PROMPTS, ROUNDS = 24, (40, 200), 8
ARITHMETIC = GenerateSettings.model_fields["arithmetic"].default


def qwen3(width: int, inner: int) -> PreTrainedConfig:
    return Qwen3Config(
        vocab_size=151_936,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40_960,
        tie_word_embeddings=True,
    )


def gemma3_1b() -> PreTrainedConfig:
    return Gemma3TextConfig(
        vocab_size=262_144,
        hidden_size=1152,
        intermediate_size=6912,
        num_hidden_layers=26,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=512,
        max_position_embeddings=32_768,
    )


SHAPES: dict[str, Callable[[], PreTrainedConfig]] = {
    "qwen3-0.6b": lambda: qwen3(1024, 3072),
    "gemma3-1b": gemma3_1b,
    "qwen3-1.7b": lambda: qwen3(2048, 6144),
}


def checkpoint(name: str) -> Path:
    """The directory of `name`, made first if it is one of SHAPES, in bfloat16 as it is published."""
    directory = HERE / name
    if name in SHAPES and not (directory / "timokha.json").is_file():
        torch.manual_seed(0)
        config = SHAPES[name]()
        config.eos_token_id = 1
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(directory)
        words(config.vocab_size).save_pretrained(directory)
        ModelCard(name=name, format=FormatName.DIALOGUE).write(directory)
    return directory if name in SHAPES else Path(name)


def prepare(name: str, bits: int) -> tuple[Path, dict[str, Any]]:
    """The prepared directory, and what preparing it took if it was not there."""
    source = None if name == "default" else str(checkpoint(name))
    began = time.perf_counter()
    directory = prepare_model(source, HERE / "cache", bits=bits, console=Console(stderr=True))
    return directory, {
        "preparing_seconds": round(time.perf_counter() - began, 1),
        "preparing_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def openvino(name: str, bits: int) -> dict[str, Any]:
    directory, cost = prepare(name, bits)
    began = time.perf_counter()
    batch = Batch(model_spec(directory, 1, max(PROMPTS), max(PROMPTS) + NEW, ARITHMETIC))
    batch.wait()
    loading = time.perf_counter() - began
    numbers = count(1)

    def run(tokens: int) -> tuple[float, float]:
        written = batch.submit(Job(next(numbers), _prompt(tokens), NEW, frozenset())).result()
        return written.prompt_seconds, written.generation_seconds

    try:
        speed = _speed(run)
        return {
            **cost,
            "loading_seconds": round(loading, 1),
            **speed,
            "bytes_a_token": Work.of(directory).bytes,
            "disk_mb": _size(directory),
            "serving_peak_mb": max(high_water_mb(child.pid) for child in psutil.Process().children(recursive=True)),
        }
    finally:
        batch.close()


def transformers(name: str) -> dict[str, Any]:
    directory = checkpoint(name)
    began = time.perf_counter()
    engine = TransformersEngine.load(str(directory), clock=SystemClock())
    loading = time.perf_counter() - began
    model: Any = engine._model

    def run(tokens: int) -> tuple[float, float]:
        sampling = Sampling(temperature=0, max_new_tokens=NEW, repetition_penalty=1)
        turns = [Turn(role=Role.USER, text=" ".join(f"w{token}" for token in _prompt(tokens - 4)))]
        written = asyncio.run(engine.generate(turns, sampling))
        assert written.usage.output_tokens == NEW, written.usage
        return written.prompt_seconds, written.generation_seconds

    speed = _speed(run)
    return {
        "loading_seconds": round(loading, 1),
        "dtype": str(model.dtype),
        **speed,
        "bytes_a_token": sum(one.numel() * one.element_size() for one in model.parameters()),
        "disk_mb": _size(directory),
        "serving_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _speed(run: Callable[[int], tuple[float, float]]) -> dict[str, Any]:
    """Seconds to read a prompt of each length, and for each token of an answer.

    The best of ROUNDS, as of the memory's speed: on a machine that others use too, that is what it can do.
    """
    run(20)
    found: dict[str, list[float]] = {}
    bandwidth = []
    for _ in range(ROUNDS):
        bandwidth.append(bytes_per_second())
        for tokens in PROMPTS:
            prompt, answer = run(tokens)
            found.setdefault(f"prompt_{tokens}_seconds", []).append(prompt)
            found.setdefault("token_seconds", []).append(answer / (NEW - 1))
    best = {name: round(min(values), 4) for name, values in found.items()}
    return {"bandwidth_gb": round(max(bandwidth) / 1e9, 1), **best}


_RANDOM = np.random.default_rng(0)


def _prompt(tokens: int) -> list[int]:
    return [int(token) for token in _RANDOM.integers(10, 49_000, tokens)]


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir()) // 1_000_000


def measure(name: str, engine: str) -> dict[str, Any]:
    kind, _, bits = engine.partition("-")
    figures = openvino(name, int(bits)) if kind == "openvino" else transformers(name)
    return {"model": name, "engine": engine, **figures}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2])))  # noqa: T201 -- one line to keep
