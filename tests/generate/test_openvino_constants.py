"""Equal small constants are shared when a model is prepared, and nothing else is."""

import numpy as np
import pytest

pytest.importorskip("openvino")

from functions.generate.engines.openvino.export.graph_passes import share_constants
from functions.generate.engines.openvino.library import ops, ov


def graph() -> ov.Model:
    """Numbers, axes and weights, each several times."""
    inputs = ops.parameter([-1, 8], ov.Type.f32, name="inputs")
    node = inputs
    for _ in range(3):
        node = ops.multiply(node, ops.constant(np.float32(2)))
        node = ops.add(node, ops.reduce_mean(node, ops.constant([-1]), True))
        node = ops.matmul(node, ops.constant(np.eye(8, dtype=np.float32) / 2), False, True)
        # As many bytes, but another type or shape.
        node = ops.add(node, ops.constant(np.full([1], 2, np.float32)))
        node = ops.add(node, ops.convert(ops.constant(np.int32(1 << 30)), "f32"))
    return ov.Model([ops.result(node)], [inputs], "graph")


def constants(model: ov.Model) -> list[str]:
    nodes = [node for node in model.get_ops() if node.get_type_name() == "Constant"]
    return sorted(f"{node.get_element_type().to_string()} {list(node.shape)}" for node in nodes)


def test_equal_small_constants_become_one_and_others_stay() -> None:
    model = graph()
    assert len(constants(model)) == 15
    share_constants(model)
    assert constants(model) == ["f32 [1]", *["f32 [8, 8]"] * 3, "f32 []", "i32 []", "i64 [1]"]


def test_what_it_computes_stays_the_same_to_the_bit() -> None:
    given = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    before = ov.compile_model(graph(), "CPU")([given])[0]
    shared = graph()
    share_constants(shared)
    assert np.array_equal(ov.compile_model(shared, "CPU")([given])[0], before)
