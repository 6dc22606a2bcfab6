"""Scale the channels of what matrix products read, so that rounding to 8 bits loses less; results stay the same.

A few channels of a model's activations are far larger than the others, and where a group of numbers shares a scale,
these leave few steps for the rest. So each channel is divided by a number, and the weights that it meets are multiplied
by the same: SmoothQuant (Xiao et al. 2022, https://arxiv.org/abs/2211.10438). How large a channel is depends on what
the model reads, so it reads a sample of chats once.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.export.weights import Columns, mean_squares, products, quantize
from functions.generate.engines.openvino.library import ops, ov
from functions.generate.engines.openvino.model_spec import EXACT

_SHARE = 0.4
"""Of the difference between channels that their weights take over: measured, see docs/decisions/equalizing.md."""
_LEAST = 1e-6
"""A mean square of less than this share of the usual one counts as so large."""
_FROM_ATTENTION = {"Reshape", "Transpose"}
"""Its results, which no elementwise operation makes: dividing them would take an operation more."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Input:
    """What some products read in common."""

    source: Any
    """The output of an operation."""
    products: list[Any]

    @property
    def name(self) -> str:
        return str(self.products[0].get_friendly_name())


def equalize(model: ov.Model, tokens: Sequence[int]) -> Columns:
    """Divide the channels of `model`'s products' inputs, in place. Return what their weights are to be multiplied by.

    `tokens`: a sample of what the model will read, in its own ids.
    """
    inputs = _inputs(model)
    if not inputs or len(tokens) < 2:  # noqa: PLR2004 -- the first does not count
        return {}
    squares = _squares(model, tokens)
    columns: dict[str, Floats] = {}
    for one in inputs:
        factors = _factors(squares[one.name], [mean_squares(product) for product in one.products])
        _divide(one, factors)
        columns |= {str(product.get_friendly_name()): factors for product in one.products}
    model.validate_nodes_and_infer_types()
    return columns


def _inputs(model: ov.Model) -> list[_Input]:
    """Those that an elementwise operation makes, which can divide them as well."""
    readers: Mapping[tuple[str, int], list[Any]] = defaultdict(list)
    for product in products(model):
        source = product.input_value(0)
        if source.get_node().get_type_name() not in _FROM_ATTENTION:
            readers[source.get_node().get_friendly_name(), source.get_index()].append(product)
    return [_Input(found[0].input_value(0), found) for found in readers.values()]


def _squares(model: ov.Model, tokens: Sequence[int]) -> dict[str, Floats]:
    """Return the mean square of each channel of each input.

    The first token does not count: attention rests on it, and its channels are like no other's.
    """
    names, request = _reading(model)
    ids = np.array([tokens], dtype=np.int64)
    request.infer(
        {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "position_ids": np.arange(ids.size, dtype=np.int64)[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
        },
    )
    return {name: request.get_output_tensor(place).data.copy() for place, name in enumerate(names)}


def _reading(model: ov.Model) -> tuple[list[str], Any]:
    """Return the names of the inputs, and a request whose results are their channels' mean squares.

    Its weights are in 8 bits, or a large model would be in memory twice.
    """
    reading = model.clone()
    squares = {one.name: _mean_squares(one.source) for one in _inputs(reading)}
    results = [ops.result(node) for node in squares.values()]
    inner = ov.Model(results, reading.get_sinks(), reading.get_parameters(), "sample")
    quantize(inner, 8)
    return list(squares), ov.Core().compile_model(inner, "CPU", EXACT).create_infer_request()


def _mean_squares(source: Any) -> Any:
    width = source.get_partial_shape()[-1].get_length()
    rows = ops.reshape(source, ops.constant([-1, width]), False)
    later = ops.slice(rows, *(ops.constant([place]) for place in (1, np.iinfo(np.int64).max, 1, 0)))
    return ops.reduce_mean(ops.multiply(later, later), ops.constant([0]), False)


def _factors(squares: Floats, weights: Sequence[Floats]) -> Floats:
    """Return a factor for each channel from its mean square and those of the weights, by product, that it meets."""
    of_weights = np.mean(weights, axis=0)
    factors = _clamped(squares) ** (_SHARE / 2) / _clamped(of_weights) ** ((1 - _SHARE) / 2)
    return np.asarray(factors / np.exp(np.log(factors).mean()), dtype=np.float32)


def _clamped(squares: Floats) -> Floats:
    usual = float(np.median(squares)) or float(squares.max()) or 1.0
    return np.maximum(squares, _LEAST * usual)


def _divide(one: _Input, factors: Floats) -> None:
    readers = {port.get_node().get_friendly_name() for port in one.source.get_target_inputs()}
    if len(readers) == len(one.products) and _fold(one.source.get_node(), factors):
        return
    divided = ops.multiply(one.source, ops.constant((1 / factors)[None]))
    for product in one.products:
        product.input(0).replace_source_output(divided.output(0))


def _fold(node: Any, factors: Floats) -> bool:
    """Divide a norm's result by dividing its weight and bias, which takes no operation; return whether `node` is one.

    OpenVINO does that by itself only where there is no bias.
    """
    if node.get_type_name() not in {"Multiply", "Add"}:
        return False
    first, second = sorted(node.inputs(), key=lambda port: _is_vector(port, len(factors)))
    weighed = first.get_source_output()
    if not _is_vector(second, len(factors)):
        return False
    if node.get_type_name() == "Add" and not (
        len(weighed.get_target_inputs()) == 1 and _fold(weighed.get_node(), factors)
    ):
        return False
    values = second.get_source_output().get_node().data
    second.replace_source_output(ops.constant(values / factors).output(0))
    return True


def _is_vector(port: Any, width: int) -> bool:
    node = port.get_source_output().get_node()
    return bool(
        node.get_type_name() == "Constant"
        and node.get_element_type() == ov.Type.f32
        and node.shape[-1:] == [width]
        and np.prod(node.shape) == width
    )
