"""Import OpenVINO without the package that reports its use to its makers."""

import sys
from typing import Any

# OpenVINO does without both. Where the first is installed, merely importing OpenVINO starts a session with it; the
# second, which only `convert_traced` needs, takes a fifth of the import.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
_CONVERTER = "openvino.tools.ovc"
_put_off = sys.modules.setdefault(_CONVERTER, None) is None  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
import openvino_genai as genai  # noqa: E402
from openvino import _offline_transformations as passes  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

if _put_off:
    del sys.modules[_CONVERTER]

__all__ = ["convert_traced", "genai", "ops", "ov", "passes"]


def convert_traced(traced: Any, example: Any) -> ov.Model:
    """Convert a model that torch has traced to a graph."""
    from openvino.tools.ovc import convert_model  # noqa: PLC0415 -- see above

    return convert_model(traced, example_input=example)
