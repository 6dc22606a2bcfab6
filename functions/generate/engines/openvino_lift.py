"""Logits that are above zero: GenAI writes 0 for "never", and a penalty lowers only what is positive."""

import numpy as np

from functions.generate.engines.quiet_openvino import ops, ov

LIFT = 512.0
"""Added to all logits, which changes no probability."""


def lift(model: ov.Model) -> None:
    """Add `LIFT` to the output `logits` of `model`, in place."""
    result = model.output("logits").get_node()
    logits = result.input_value(0)
    logits.get_tensor().set_names(set())
    lifted = ops.add(logits, ops.constant(np.full((1, 1, 1), LIFT, dtype=np.float32)))
    lifted.output(0).get_tensor().set_names({"logits"})
    result.input(0).replace_source_output(lifted.output(0))
    model.validate_nodes_and_infer_types()
