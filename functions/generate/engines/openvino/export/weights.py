"""Quantize weights to 8 or 4 bits, in groups that share a scale, as OpenVINO's CPU plugin unpacks them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.library import ops, ov

GROUPS = {8: (64, 32), 4: (32,)}
"""Sizes of groups by bits; the first that divides a row is used. In 8 bits larger groups are faster."""
_SMALLEST = 32
"""A matrix with a shorter side stays unchanged."""
_ROWS = 8192
_LARGEST_MATRIX = 30_000
"""Rows; larger matrices are vocabularies, which stay in 8 bits."""

Floats = NDArray[np.float32]


def quantize(model: ov.Model, bits: int) -> None:
    """Replace the matrices of `model`'s MatMul and Gather operations, in place. The rest stays in float32.

    In 16 bits the frequencies of positions would turn the thousandth token by up to half a radian too far.
    """
    packed = {place: _pack(place, bits) for place in {_place(port) for port in _ports(model)}}
    for port in _ports(model):
        _replace(port, packed[_place(port)])
    model.validate_nodes_and_infer_types()


@dataclass(frozen=True)
class _Place:
    """A matrix, by its constant's name."""

    name: str
    constant: Any = field(compare=False)
    turned: bool
    """Whether the summed dimension comes first; groups lie along it, so it must come last."""


def _ports(model: ov.Model) -> list[Any]:
    """The inputs that read a matrix."""
    kinds = {"MatMul": 1, "Gather": 0}
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() in kinds]
    ports = [node.input(kinds[node.get_type_name()]) for node in nodes]
    return [port for port in ports if _is_matrix(_constant(port))]


def _constant(port: Any) -> Any:
    """Return the node that `port` reads, without the conversion after a 16-bit weight."""
    node = port.get_source_output().get_node()
    return node.input_value(0).get_node() if node.get_type_name() == "Convert" else node


def _place(port: Any) -> _Place:
    node, constant = port.get_node(), _constant(port)
    turned = node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"]
    return _Place(constant.get_friendly_name(), constant, turned)


def _is_matrix(node: Any) -> bool:
    return node.get_type_name() == "Constant" and len(node.shape) == 2 and min(node.shape) >= _SMALLEST  # noqa: PLR2004


def _replace(port: Any, unpacked: Any) -> None:
    node = port.get_node()
    if not _place(port).turned:
        port.replace_source_output(unpacked.output(0))
        return
    product = ops.matmul(node.input_value(0), unpacked, node.get_attributes()["transpose_a"], True)
    product.set_friendly_name(node.get_friendly_name())
    for reader in node.output(0).get_target_inputs():
        reader.replace_source_output(product.output(0))


def _pack(place: _Place, bits: int) -> Any:
    """Return operations that unpack the quantized matrix, [out, in]."""
    matrix = np.asarray(place.constant.data, dtype=np.float32)
    matrix = np.ascontiguousarray(matrix.T if place.turned else matrix)
    out, width = matrix.shape
    bits = 8 if out > _LARGEST_MATRIX else bits
    size = next((size for size in GROUPS[bits] if width % size == 0), width)
    groups = matrix.reshape(out, width // size, size)
    parts = [groups[row : row + _ROWS] for row in range(0, out, _ROWS)]
    unpacked = _bytes(parts) if bits == 8 else _nibbles(parts)  # noqa: PLR2004
    whole = ops.reshape(unpacked, ops.constant(np.array([out, width], dtype=np.int64)), False)
    return ops.convert(whole, ov.Type.f32)


def _bytes(parts: list[Floats]) -> Any:
    rounded = [_rounded(part) for part in parts]
    numbers = np.concatenate([numbers for numbers, _ in rounded])
    scales = np.concatenate([scales for _, scales in rounded])
    return ops.multiply(ops.convert(ops.constant(numbers), ov.Type.f16), ops.constant(scales))


def _rounded(groups: Floats) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Return numbers and scales; each group uses the closer of two scales.

    The largest number becomes ±127, or −128, so that weights that were quantized before in such groups, to 8 or 5
    bits, stay the same.
    """
    furthest = np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)
    tries = [_with_scale(groups, scale) for scale in (np.abs(furthest / 127), furthest / -128)]
    errors = [np.square(numbers * scale.astype(np.float32) - groups).sum(-1, keepdims=True) for numbers, scale in tries]
    second = errors[1] < errors[0]
    numbers, scales = (np.where(second, b, a) for a, b in zip(*tries, strict=True))
    return numbers.astype(np.int8), scales


def _with_scale(groups: Floats, scale: NDArray[Any]) -> tuple[Floats, NDArray[np.float16]]:
    halved = _not_zero(scale)
    return np.clip(np.rint(groups / halved.astype(np.float32)), -128, 127), halved


def _nibbles(parts: list[Floats]) -> Any:
    """Sixteen levels from each group's lowest weight to its highest, zero among them."""
    groups = np.concatenate(parts)
    low, high = np.minimum(groups.min(-1, keepdims=True), 0), np.maximum(groups.max(-1, keepdims=True), 0)
    scales = _not_zero((high - low) / 15)
    wide = scales.astype(np.float32)
    zero = np.clip(np.rint(-low / wide), 0, 15)
    numbers = np.clip(np.rint(groups / wide) + zero, 0, 15)
    shifted = ops.subtract(ops.convert(_u4(numbers), ov.Type.f16), ops.convert(_u4(zero), ov.Type.f16))
    return ops.multiply(shifted, ops.constant(scales))


def _not_zero(scale: NDArray[Any]) -> NDArray[np.float16]:
    least = np.float32(np.finfo(np.float16).smallest_subnormal)
    return np.where(np.abs(scale) < least, least, scale).astype(np.float16)


def _u4(numbers: Floats) -> Any:
    flat = numbers.astype(np.uint8).reshape(-1)
    even = np.append(flat, np.zeros(flat.size % 2, dtype=np.uint8))
    pairs = even[0::2] | (even[1::2] << 4)
    return ops.constant(ov.Tensor(pairs, ov.Shape(list(numbers.shape)), ov.Type.u4), shared_memory=False)
