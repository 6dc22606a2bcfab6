"""A bake-off of engines on the same weights, and what the default one keeps of a model: `python -m benchmarks.engines`.

Each way to generate is timed in a process of its own (ways.py). The original's way and the default are timed twice, at
the start and at the end, and a speed-up is the mean of the two; others' ways then take turns with the default
(rivals.py). Speed is that of a GPT-2 of 355M with random weights (weights.py) and that of the default model beside an
earlier commit (default_model.py), quality that of the default model (quality.py). The machine's own speed is measured
right beside (limits.py).
"""

import asyncio
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from benchmarks import default_model, live, rivals, whole_path
from benchmarks.limits import Machine, Work, machine
from benchmarks.progress import tell
from benchmarks.ways import NEW, ONLY_BY_NAME, ORIGINAL, PROMPT, WAYS
from benchmarks.weights import openvino
from functions.generate.engines.openvino.model_spec import plugin_properties, resolve_arithmetic
from functions.generate.settings import GenerateSettings

MANY = 32
LONGEST, LONGEST_FOR_QUALITY = 300.0, 1200.0
"""Seconds that a way may take."""
_FIELDS = GenerateSettings.model_fields
ENGINE, BITS, ARITHMETIC = (_FIELDS[name].default for name in ("engine", "bits", "arithmetic"))
DEFAULT = f"{ENGINE}-int{BITS}-{resolve_arithmetic(ARITHMETIC).value}"
_ABOUT = {"arithmetic", "bits", "questions"}
"""What quality.py repeats of its question."""

Way = Mapping[str, Any]


async def measure() -> dict[str, object]:
    """Ratios of the default engine at its default precision; `ways` has the figures of each way."""
    tell("making the weights, once")
    await _python("benchmarks.weights", timeout=LONGEST)
    async with machine(plugin_properties(ARITHMETIC)) as looks:
        before = [await _way(ORIGINAL), await _beside(looks, DEFAULT)]
        others = {name: await _tried(name) for name in WAYS if name not in {ORIGINAL, DEFAULT, *ONLY_BY_NAME}}
        after = [await _way(ORIGINAL), await _beside(looks, DEFAULT, [1, MANY])]
    ahead = await rivals.measure(DEFAULT)
    tell("the whole path beside the engine alone")
    path = await whole_path.measure(openvino(BITS), requests=MANY)
    default = await default_model.measure()
    tell("quality of the default model")
    quality = json.loads(await _python("benchmarks.quality", ARITHMETIC.value, str(BITS), timeout=LONGEST_FOR_QUALITY))
    return {
        "default_engine": ENGINE,
        "default_precision": f"int{BITS} {ARITHMETIC.value}, here {resolve_arithmetic(ARITHMETIC).value}",
        **speed([before, after], looks),
        **path,
        **{name: _rounded(figure) for name, figure in quality.items() if name not in _ABOUT},
        **await _quality_of_llama_cpp(quality["bits_per_byte"]),
        **await live.measure(),
        "ahead": ahead,
        "default_model": default,
        "ways": {ORIGINAL: before[0], DEFAULT: before[1], **others},
    }


def speed(rounds: Sequence[Sequence[Way]], looks: Machine) -> dict[str, object]:
    """From rounds of the original's way and the default.

    `bandwidth_limit_ratio`: so many times the least time of one answer. That is to read all the weights once for each
    new token, or to do the arithmetic, whichever takes longer here.
    """
    one = [(original["1"]["all_seconds"], ours["1"]["all_seconds"]) for original, ours in rounds]
    many = [ours[str(MANY)]["all_seconds"] / MANY for _, ours in rounds]
    work = Work.of(openvino(BITS))
    limit, by = looks.limit(work, 1, PROMPT, NEW)
    limit_of_many, by_of_many = looks.limit(work, MANY, PROMPT, NEW)
    return {
        "speedup_one_user": round(statistics.mean(original / ours for original, ours in one), 1),
        "speedup_32_users": round(
            statistics.mean(original / each for (original, _), each in zip(one, many, strict=True)), 1
        ),
        "bandwidth_limit_ratio": round(statistics.median(ours for _, ours in one) / limit, 2),
        "limit_ratio_32": round(statistics.median(many) * MANY / limit_of_many, 2),
        "limited_by": f"{by} at one, {by_of_many} at {MANY}",
        "limit_seconds": round(limit, 3),
        "bytes_a_step_mb": round(work.bytes / 1e6),
        **looks.figures(),
    }


async def _beside(looks: Machine, name: str, crowds: Sequence[int] = ()) -> dict[str, Any]:
    """One way, and right before and after it how fast the machine is."""
    await looks.look()
    found = await _way(name, crowds)
    await looks.look()
    return found


async def _quality_of_llama_cpp(reference: Mapping[str, float]) -> dict[str, Any]:
    """Its bits per byte, divided by those in float32."""
    tell("quality of llama.cpp's way")
    name = "llamacpp_bits_per_byte_ratio"
    try:
        theirs = json.loads(await _python("benchmarks.llama_reading", timeout=LONGEST_FOR_QUALITY))
    except (TimeoutError, RuntimeError) as error:
        return {name: f"skipped: {error or 'did not end in time'}"}
    return {name: {kind: round(theirs[kind] / bits, 5) for kind, bits in reference.items()}}


def _rounded(figure: Any) -> Any:
    return round(figure, 5) if isinstance(figure, float) else figure


async def _tried(name: str) -> dict[str, Any]:
    """What is not installed or does not get done in time is said in its place."""
    try:
        return await _way(name)
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
