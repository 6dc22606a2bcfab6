"""The constant on all logits, in each precision that logits may be computed in."""

import numpy as np
import pytest

from functions.generate.engines.openvino.export.graph_passes import LIFT, lift_logits
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ops, ov

WIDTH, TOKENS = 64, 512


def head() -> ov.Model:
    """A step's last product: hidden states in, logits out."""
    hidden = ops.parameter([-1, -1, WIDTH], ov.Type.f32, name="hidden")
    positions = ops.parameter([-1, -1], ov.Type.i64, name="position_ids")
    for port in (hidden, positions):
        port.output(0).get_tensor().set_names({port.get_friendly_name()})
    weights = np.random.default_rng(0).standard_normal((TOKENS, WIDTH)).astype(np.float32) / 8
    logits = ops.matmul(hidden, ops.constant(weights), False, True)
    logits.output(0).get_tensor().set_names({"logits"})
    return ov.Model([ops.result(logits)], [hidden, positions], "head")


def logits_of(model: ov.Model, precision: str) -> np.ndarray:
    run = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    hidden = np.random.default_rng(1).standard_normal((1, 3, WIDTH)).astype(np.float32)
    return np.asarray(run({"hidden": hidden, "position_ids": np.arange(3)[None]})["logits"])


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_logits_keep_their_differences(precision: str) -> None:
    plain, lifted = head(), head()
    quantize(plain, 8)
    quantize(lifted, 8)
    lift_logits(lifted)
    wanted, found = logits_of(plain, precision), logits_of(lifted, precision)
    np.testing.assert_allclose(found - LIFT, wanted, atol=1e-3)


def test_genai_finds_the_product_before_it() -> None:
    """It looks for an addition that follows a product, at the end (`find_llm_matmul`)."""
    model = head()
    lift_logits(model)
    added = model.output("logits").get_node().input_value(0).get_node()
    assert added.get_type_name() == "Add"
    assert added.input_value(0).get_node().get_type_name() == "MatMul"
