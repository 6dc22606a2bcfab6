"""Narrow a model's head to the tokens that it may write: with a large vocabulary, logits take most of a step.

The model still reads every token. Inside, tokens have other numbers, in which those that it writes come first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.library import ops, ov

_AFTER = {"Add", "Subtract", "Multiply", "Divide", "Tanh", "Convert", "Clamp"}
"""Elementwise operations on logits: a bias, a scale, a cap."""

Tokens = NDArray[np.int32]


class OtherHead(Exception):
    """The logits are computed in an unknown way."""


def narrow_head(model: ov.Model, kept: Tokens) -> Tokens:
    """Restrict `model` to writing the tokens `kept`, in place. Its weights must not be quantized yet.

    Return the tokenizer's ids in the order of the model's own; it writes the first `len(kept)`. Raises OtherHead,
    without a change, if logits are computed in an unknown way.
    """
    product, weights, biases = _head(model)
    size = _rows(product, weights).shape[0]
    order = np.concatenate([kept, np.setdiff1d(np.arange(size), kept)]).astype(np.int32)
    product.input(1).replace_source_output(_narrowed(product, weights, kept).output(0))
    for port in biases:
        bias = _constant(_source(port))
        port.replace_source_output(ops.constant(np.ascontiguousarray(bias.data[..., kept])).output(0))
    _renumber(model, order)
    model.validate_nodes_and_infer_types()
    return order


def count_rows(model: ov.Model) -> int:
    """Return the number of tokens that `model` can write."""
    return int(model.output("logits").partial_shape[-1].get_length())


def _head(model: ov.Model) -> tuple[Any, Any, list[Any]]:
    """Return the matrix product of the logits, its weights, and the inputs of later operations with a row per token."""
    node, biases = _input_node(model.output("logits").get_node(), 0), []
    size = count_rows(model)
    while node.get_type_name() in _AFTER:
        node, constants = _split_inputs(node)
        biases += [port for port in constants if _constant(_source(port)).shape[-1] == size]
    weights = _constant(_input_node(node, 1)) if node.get_type_name() == "MatMul" else None
    if weights is None or len(weights.shape) != 2:  # noqa: PLR2004
        raise OtherHead
    return node, weights, biases


def _split_inputs(node: Any) -> tuple[Any, list[Any]]:
    """Return the input that `node` transforms, and its inputs that are constants of several numbers."""
    ports = [port for port in node.inputs() if not _is_single(port)]
    constants = [port for port in ports if _constant(_source(port)) is not None]
    if len(ports) != len(constants) + 1:
        raise OtherHead
    return next(_source(port) for port in ports if port not in constants), constants


def _is_single(port: Any) -> bool:
    """Return whether `port` reads a single number for all logits, constant or computed."""
    shape = port.get_partial_shape()
    return bool(shape.is_static and shape.get_min_shape() == [1] * len(shape))


def _source(port: Any) -> Any:
    return port.get_source_output().get_node()


def _input_node(node: Any, place: int) -> Any:
    return node.input_value(place).get_node()


def _constant(node: Any) -> Any:
    """Return the constant that `node` is or converts, or None."""
    if node.get_type_name() == "Convert":
        node = _input_node(node, 0)
    return node if node.get_type_name() == "Constant" else None


def _rows(product: Any, weights: Any) -> NDArray[Any]:
    """Return the weights as [tokens, width]."""
    return weights.data if product.get_attributes()["transpose_b"] else weights.data.T  # type: ignore[no-any-return]


def _narrowed(product: Any, weights: Any, kept: Tokens) -> Any:
    chosen = _rows(product, weights)[kept]
    turned = chosen if product.get_attributes()["transpose_b"] else chosen.T
    constant = ops.constant(np.ascontiguousarray(turned))
    constant.set_friendly_name(f"{weights.get_friendly_name()}.written")
    kind = product.input(1).get_element_type()
    return constant if constant.get_element_type() == kind else ops.convert(constant, kind)


def _renumber(model: ov.Model, order: Tokens) -> None:
    """Convert the model's input ids to the tokenizer's, so that the embeddings stay unchanged."""
    tokens = model.input("input_ids")
    readers = readers_of(tokens)
    looked_up = ops.gather(ops.constant(order), tokens, ops.constant(0))
    converted = ops.convert(looked_up, tokens.get_element_type())
    for port in readers:
        port.replace_source_output(converted.output(0))


def readers_of(tokens: Any) -> list[Any]:
    """Return the inputs that read the values of `tokens`, not only their number."""
    return [port for port in tokens.get_target_inputs() if port.get_node().get_type_name() != "ShapeOf"]
