"""The graph's part of `aliases`."""

import numpy as np

from functions.generate.engines.openvino.aliases import BITS, NAME
from functions.generate.engines.openvino.export.head import readers_of
from functions.generate.engines.openvino.library import ops, ov


def take_off(model: ov.Model) -> None:
    """Let `model`, of at most 2 ** BITS tokens, read tokens with marks, in place: last of all that is done to it."""
    tokens = model.input("input_ids")
    readers = readers_of(tokens)
    plain = ops.bitwise_and(tokens, ops.constant(np.array((1 << BITS) - 1, dtype=np.int64)))
    plain.set_friendly_name(NAME)
    for port in readers:
        port.replace_source_output(plain.output(0))
    model.validate_nodes_and_infer_types()
