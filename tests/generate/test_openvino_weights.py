"""What becomes of a model's matrices."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from functions.generate.engines.openvino.export.weights import GROUPS, WHOLE_ROWS, quantize
from functions.generate.engines.openvino.library import ops, ov

GROUP = GROUPS[8][0]
WIDTH, OUT = 4 * GROUP, 64
Floats = NDArray[np.float32]


def even(seed: int = 0) -> Floats:
    """Of weights that 8 bits hold exactly, as those of a GGUF's Q8_0 do."""
    generator = np.random.default_rng(seed)
    numbers = generator.integers(-127, 128, (OUT, WIDTH // GROUP, GROUP))
    numbers[..., 0] = 127
    return (numbers * np.float32(2**-9)).astype(np.float32).reshape(OUT, WIDTH)


def spiky(seed: int = 1) -> Floats:
    """One weight in each group far beyond the others: these are rounded most."""
    weights = np.random.default_rng(seed).standard_normal((OUT, WIDTH // GROUP, GROUP)).astype(np.float32)
    weights[..., 0] *= 30
    return weights.reshape(OUT, WIDTH)


def model_of(*matrices: Floats) -> ov.Model:
    hidden = ops.parameter([-1, WIDTH], ov.Type.f32, name="hidden")
    return ov.Model([ops.matmul(hidden, ops.constant(matrix), False, True) for matrix in matrices], [hidden], "some")


def kinds(model: ov.Model) -> dict[str, int]:
    """The number of matrices by the type that they are stored in."""
    found: dict[str, int] = {}
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and np.prod(node.shape) >= OUT * WIDTH:
            name = node.get_element_type().get_type_name()
            found[name] = found.get(name, 0) + 1
    return found


def unpacked(model: ov.Model) -> list[Any]:
    """Each matrix as the products see it."""
    run = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = run(np.eye(WIDTH, dtype=np.float32))
    return [np.asarray(outputs[port]).T for port in run.outputs]


def test_a_matrix_that_rounding_changes_more_than_the_others_gets_8_bits_as_well() -> None:
    model = model_of(even(), even(2), even(3), spiky())
    quantize(model, 8)
    assert kinds(model) == {"i8": 4}


def test_weights_that_8_bits_hold_come_out_as_they_went_in() -> None:
    model = model_of(even())
    quantize(model, 8)
    np.testing.assert_array_equal(unpacked(model)[0], even())


@pytest.mark.parametrize(("bits", "steps"), [(8, 127), (4, 7)])
def test_rounding_moves_a_weight_by_half_a_step_at_most(bits: int, steps: int) -> None:
    model = model_of(spiky())
    quantize(model, bits)
    groups = spiky().reshape(OUT, -1, WIDTH if bits == WHOLE_ROWS else GROUPS[bits][0])
    step = np.abs(groups).max(-1, keepdims=True) / steps
    moved = np.abs(unpacked(model)[0].reshape(groups.shape) - groups)
    assert (moved <= 0.51 * step + 1e-6).all()
