"""A bake-off of engines on the same weights, and what the default one keeps of a model: `python -m benchmarks.engines`.

Each way to generate is timed in a process of its own (ways.py). The original's way and the default are timed twice, at
the start and at the end, and a speed-up is the mean of the two. Speed is that of a GPT-2 of 355M with random weights
(weights.py), agreement that of the default model (quality.py).
"""

import asyncio
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchmarks import live, whole_path
from benchmarks.progress import tell
from benchmarks.ways import NEW, ORIGINAL, WAYS
from benchmarks.weights import openvino
from functions.generate.settings import GenerateSettings

MANY = 32
LONGEST, LONGEST_TO_COMPILE = 300.0, 120.0
"""Seconds that a way may take."""
_FIELDS = GenerateSettings.model_fields
ENGINE, BITS, ARITHMETIC = (_FIELDS[name].default for name in ("engine", "bits", "arithmetic"))
DEFAULT = f"{ENGINE.value}-int{BITS}-{ARITHMETIC.value}"

Way = Mapping[str, Any]


async def measure() -> dict[str, object]:
    """Ratios of the default engine at its default precision; `ways` has the figures of each way."""
    tell("making the weights, once")
    await _python("benchmarks.weights", timeout=LONGEST)
    bandwidth = float(await _python("benchmarks.bandwidth", timeout=60))
    before = [await _way(ORIGINAL), await _way(DEFAULT)]
    others = {name: await _tried(name) for name in WAYS if name not in (ORIGINAL, DEFAULT)}
    after = [await _way(ORIGINAL), await _way(DEFAULT, [1, MANY])]
    tell("the whole path beside the engine alone")
    path = await whole_path.measure(openvino(BITS), requests=MANY)
    tell("agreement with transformers on the default model")
    quality = json.loads(await _python("benchmarks.quality", ARITHMETIC.value, str(BITS), timeout=LONGEST))
    return {
        "default_engine": ENGINE.value,
        "default_precision": f"int{BITS} {ARITHMETIC.value}",
        **speed([before, after], bandwidth),
        **path,
        "greedy_agreement": quality["greedy_agreement"],
        "greedy_agreement_to_the_answers_end": quality["greedy_agreement_to_the_answers_end"],
        "log_likelihood_difference": round(quality["log_likelihood_difference"], 5),
        **await live.measure(),
        "ways": {ORIGINAL: before[0], DEFAULT: before[1], **others},
    }


def speed(rounds: Sequence[Sequence[Way]], bandwidth: float) -> dict[str, object]:
    """From rounds of the original's way and the default. `bandwidth` in bytes a second.

    The limit is the time to read all the weights once for each new token; the prompt comes on top.
    """
    one = [(original["1"]["all_seconds"], ours["1"]["all_seconds"]) for original, ours in rounds]
    many = [ours[str(MANY)]["all_seconds"] / MANY for _, ours in rounds]
    weights = (openvino(BITS) / "openvino_model.bin").stat().st_size
    limit = NEW * weights / bandwidth
    return {
        "speedup_one_user": round(statistics.mean(original / ours for original, ours in one), 1),
        "speedup_32_users": round(
            statistics.mean(original / each for (original, _), each in zip(one, many, strict=True)), 1
        ),
        "bandwidth_limit_ratio": round(statistics.median(ours for _, ours in one) / limit, 2),
        "bandwidth_gb_per_second": round(bandwidth / 1e9, 1),
        "weights_mb": round(weights / 1e6),
        "bandwidth_limit_seconds": round(limit, 3),
    }


async def _tried(name: str) -> dict[str, Any]:
    """What is not installed or does not get done in time is said in its place."""
    try:
        return await _way(name, timeout=LONGEST_TO_COMPILE if name.endswith("compiled") else LONGEST)
    except TimeoutError:
        return {"skipped": "did not end in time"}
    except RuntimeError as error:
        return {"skipped": str(error)}


async def _way(name: str, crowds: Sequence[int] = (), timeout: float = LONGEST) -> dict[str, Any]:
    tell(f"{name}, {len(WAYS)} ways in all")
    found: dict[str, Any] = json.loads(await _python("benchmarks.ways", name, *map(str, crowds), timeout=timeout))
    return found


async def _python(module: str, *arguments: str, timeout: float) -> str:
    """The last line that the module prints. Raises TimeoutError, or RuntimeError with its last words if it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )
    try:
        async with asyncio.timeout(timeout):
            printed, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = (printed if process.returncode == 0 else said).decode().strip().splitlines()
    if process.returncode:
        raise RuntimeError(lines[-1] if lines else f"{module} ended with exit code {process.returncode}")
    return lines[-1] if lines else ""


if __name__ == "__main__":
    click.echo(json.dumps(asyncio.run(measure()), indent=2))
