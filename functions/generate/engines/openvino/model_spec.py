"""Specify a model for its process: limits, and how to compute on this processor.

This imports little, so that the model loads while the rest is imported.
"""

from collections.abc import Collection
from pathlib import Path

from events.schema import MAX_NEW_TOKENS
from functions.generate.engines.openvino.protocol import ModelSpec
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.settings import Arithmetic

_PROCESSOR = Path("/proc/cpuinfo")
_DOTS = frozenset({"avx512_vnni", "avx_vnni"})
"""Instructions that multiply and add bytes. Without them, rounding to 8 bits saves no time."""

EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
FAST = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f16"}
"""The prepared model says in which groups its activations are rounded to 8 bits.

With many answers attention reads mostly the cache: of 16 bits it is half as much, and each token is rounded once.
In bfloat16 a row of a product depends on the number of rows, and with a cache in 8 bits an answer on the others, too.
"""


def spec_of_prepared(
    directory: Path,
    described: ServingInfo,
    *,
    slots: int,
    max_input_tokens: int,
    max_thought_tokens: int,
    arithmetic: Arithmetic,
) -> ModelSpec:
    """Return the spec of the prepared model in `directory`, with room for what these settings allow."""
    window = min(max_input_tokens, described.context)
    longest = min(window + max_thought_tokens + MAX_NEW_TOKENS, described.context)
    return model_spec(directory, slots, window, longest, arithmetic)


def model_spec(directory: Path, slots: int, max_input_tokens: int, longest: int, arithmetic: Arithmetic) -> ModelSpec:
    """Return the spec of a model with exactly these limits."""
    return ModelSpec(str(directory), slots, max_input_tokens, longest, plugin_properties(arithmetic))


def plugin_properties(arithmetic: Arithmetic) -> dict[str, str]:
    """Return what OpenVINO's CPU plugin needs to compute in `arithmetic` on this processor."""
    return FAST if resolve_arithmetic(arithmetic) is Arithmetic.FAST else EXACT


def resolve_arithmetic(arithmetic: Arithmetic, instructions: Collection[str] | None = None) -> Arithmetic:
    """Return `exact` or `fast`: what `auto` is on a processor with `instructions`, by default this one."""
    if arithmetic is not Arithmetic.AUTO:
        return arithmetic
    known = _instructions() if instructions is None else instructions
    return Arithmetic.FAST if _DOTS.intersection(known) else Arithmetic.EXACT


def _instructions() -> frozenset[str]:
    """This processor's, as Linux names them; empty if they can't be read."""
    try:
        lines = _PROCESSOR.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()) for line in lines if line.startswith("flags")), frozenset())
