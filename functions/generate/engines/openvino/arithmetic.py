"""How the openvino engine computes: what each word of GENERATE_ARITHMETIC means on this processor."""

from collections.abc import Collection
from pathlib import Path

from functions.generate.settings import Arithmetic

_PROCESSOR = Path("/proc/cpuinfo")
_DOTS = frozenset({"avx512_vnni", "avx_vnni"})
"""Instructions that multiply and add bytes. Without them rounding to 8 bits saves nothing."""


EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
FAST = {**EXACT, "DYNAMIC_QUANTIZATION_GROUP_SIZE": "64"}
"""In bfloat16 a row of a product depends on how many there are; a cache in 8 bits is not what was just computed."""


def resolved(arithmetic: Arithmetic, instructions: Collection[str] | None = None) -> Arithmetic:
    """`exact` or `fast`: what `auto` is on a processor with `instructions`, by default this one."""
    if arithmetic is not Arithmetic.AUTO:
        return arithmetic
    known = _instructions() if instructions is None else instructions
    return Arithmetic.FAST if _DOTS.intersection(known) else Arithmetic.EXACT


def properties(arithmetic: Arithmetic) -> dict[str, str]:
    """What `arithmetic` means on this processor, for OpenVINO's CPU plugin."""
    return FAST if resolved(arithmetic) is Arithmetic.FAST else EXACT


def _instructions() -> frozenset[str]:
    """This processor's, as Linux names them; none where nobody says."""
    try:
        lines = _PROCESSOR.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()) for line in lines if line.startswith("flags")), frozenset())
