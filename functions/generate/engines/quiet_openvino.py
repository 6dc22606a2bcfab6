"""OpenVINO as it has to be imported: without the package that reports its use to its makers, unasked."""

import sys

# OpenVINO does without it, but where it is installed, merely importing OpenVINO starts a session with it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
import openvino_genai as genai  # noqa: E402
from openvino import _offline_transformations as passes  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

__all__ = ["genai", "ops", "ov", "passes"]
