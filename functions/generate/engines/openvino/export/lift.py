"""Logits that are above zero: GenAI writes 0 for "never", and a penalty lowers only what is positive."""

import numpy as np

from functions.generate.engines.openvino.library import ops, ov

LIFT = 512.0
"""Added to all logits, which changes no probability."""


def lift(model: ov.Model) -> None:
    """Add `LIFT` to the output `logits` of `model`, in place.

    Written so that OpenVINO takes it for no constant: it would put one into the matrix product before it, which may be
    computed in bfloat16, and next to 512 bfloat16 knows only steps of 4. It stays an addition: that is where GenAI
    looks for the product of which it needs only some rows.
    """
    result = model.output("logits").get_node()
    logits = result.input_value(0)
    logits.get_tensor().set_names(set())
    lengths = ops.shape_of(model.input("position_ids"), "i64")
    zero = ops.multiply(ops.reduce_max(lengths, ops.constant(0), False), ops.constant(np.int64(0)))
    lifted = ops.add(logits, ops.add(ops.convert(zero, ov.Type.f32), ops.constant(np.float32(LIFT))))
    lifted.output(0).get_tensor().set_names({"logits"})
    result.input(0).replace_source_output(lifted.output(0))
    model.validate_nodes_and_infer_types()
