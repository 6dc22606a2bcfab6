"""Check and change a finished graph: paged attention, constants, logits above zero, aliases of tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from functions.generate.engines.openvino.batch_invariance import ALIAS_BITS, ALIAS_NODE
from functions.generate.engines.openvino.export.head import readers_of
from functions.generate.engines.openvino.library import ops, ov, passes

_SMALL = 128
"""Bytes: numbers, axes and shapes. What is larger are weights."""
_KINDS = {"f32", "i32", "i64", "boolean"}
"""Of no quantized weights, which OpenVINO packs, each in its own way."""


_SLIDING = 10
"""The input of paged attention that says how many tokens a layer sees."""


class Unsupported(ValueError):
    """The engine can't run a model of this kind."""


def check_attention(model: ov.Model, windows: Sequence[int | None]) -> None:
    """Raise Unsupported if paged attention would miss a layer, or one of `windows`; None sees all tokens.

    GenAI makes attention paged when it loads a model.
    """
    paged = model.clone()
    passes.paged_attention_transformation(paged)
    nodes = [node for node in paged.get_ops() if node.get_type_name() == "PagedAttentionExtension"]
    sliding = [node for node in nodes if node.input_value(_SLIDING).get_node().get_type_name() != "Constant"]
    wanted = [window for window in windows if window]
    if (len(nodes), len(sliding)) != (len(windows), len(wanted)):
        raise Unsupported(
            f"attention of which {len(nodes)} of {len(windows)} layers are understood, "
            f"{len(sliding)} of {len(wanted)} sliding ones"
        )


def share_constants(model: ov.Model) -> None:
    """Merge equal small constants of `model`, in place; results stay the same.

    OpenVINO takes time for each operation that it loads.
    """
    first: dict[tuple[str, tuple[int, ...], bytes], Any] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_byte_size() > _SMALL:
            continue
        kind = node.get_element_type().to_string()
        if kind not in _KINDS:
            continue
        kept = first.setdefault((kind, tuple(node.shape), node.data.tobytes()), node)
        if kept is not node:
            for reader in node.output(0).get_target_inputs():
                reader.replace_source_output(kept.output(0))
    model.validate_nodes_and_infer_types()


LIFT = 512.0
"""Added to all logits, which changes no probability."""


def lift_logits(model: ov.Model) -> None:
    """Add `LIFT` to the output `logits` of `model`, in place.

    GenAI writes 0 for "never", and a penalty lowers only what is positive.

    It is written so that OpenVINO does not recognise a constant: it would fold one into the matrix product before it,
    which may be computed in bfloat16, whose step near 512 is 4. It stays an addition, after which GenAI expects the
    product of which it needs only some rows.
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


def strip_aliases(model: ov.Model) -> None:
    """Let `model`, of at most 2 ** ALIAS_BITS tokens, read tokens with marks, in place, after all other changes."""
    tokens = model.input("input_ids")
    readers = readers_of(tokens)
    plain = ops.bitwise_and(tokens, ops.constant(np.array((1 << ALIAS_BITS) - 1, dtype=np.int64)))
    plain.set_friendly_name(ALIAS_NODE)
    for port in readers:
        port.replace_source_output(plain.output(0))
    model.validate_nodes_and_infer_types()
