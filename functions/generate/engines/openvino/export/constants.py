"""Equal small constants of a graph, of which one is enough: OpenVINO takes time for each operation that it loads."""

from typing import Any

from functions.generate.engines.openvino.library import ov

_SMALL = 128
"""Bytes: numbers, axes and shapes. What is larger are weights."""
_KINDS = {"f32", "i32", "i64", "boolean"}
"""Of no quantized weights, which OpenVINO packs, each in its own way."""


def share(model: ov.Model) -> None:
    """Let all that reads equal small constants of `model` read the same one, in place. Computes the same."""
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
