"""How many operations a second this machine does in one big product of the engine's arithmetic.

`python -m benchmarks.peak PROPERTIES`, where PROPERTIES are those for OpenVINO's CPU plugin, as JSON, measures once for
every line that it reads. The matrix is in 8 bits, as a prepared model's are.
"""

import json
import sys
import time

import numpy as np

from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ops, ov

_ROWS, _WIDTH, _OUT = 256, 2048, 8192
_OPERATIONS = 2 * _ROWS * _WIDTH * _OUT
_PASSES = 4


def main() -> None:
    """Answer each line of stdin."""
    product = ov.Core().compile_model(_product(), "CPU", json.loads(sys.argv[1]))
    rows = np.random.default_rng(1).standard_normal((_ROWS, _WIDTH), dtype=np.float32)
    product(rows)
    for _ in sys.stdin:
        best = float("inf")
        for _ in range(_PASSES):
            began = time.perf_counter()
            product(rows)
            best = min(best, time.perf_counter() - began)
        print(_OPERATIONS / best, flush=True)  # noqa: T201 -- read by limits.py


def _product() -> ov.Model:
    rows = ops.parameter([-1, _WIDTH], ov.Type.f32, name="rows")
    matrix = np.random.default_rng(0).standard_normal((_OUT, _WIDTH), dtype=np.float32)
    model = ov.Model([ops.matmul(rows, ops.constant(matrix), False, True)], [rows], "product")
    quantize(model, 8)
    return model


if __name__ == "__main__":
    main()
