"""Quantize weights to 8 or 4 bits, in groups that share a scale, as OpenVINO's CPU plugin unpacks them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.library import ops, ov

GROUPS = {8: (64, 32), 4: (32,)}
"""Sizes of groups by bits; the first that divides a row is used."""
WHOLE_ROWS = 8
"""In so many bits each row of a product's matrix is one group, which is faster; only what is looked up has `GROUPS`."""
_ACTIVATIONS = (128, 64)
"""Sizes of groups of activations; the first that divides all rows is used."""
_ACTIVATION_GROUP = ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"]
"""Where OpenVINO looks for it in a model."""
_CUT = 0.95
"""The share of a scale at which the largest weight is cut: of 0.7 to 0.97 what helps."""
_SMALLEST = 32
"""A matrix with a shorter side stays unchanged."""
_ROWS = 8192
_LARGEST_MATRIX = 30_000
"""Rows; larger matrices are vocabularies, which stay in 8 bits."""

Floats = NDArray[np.float32]
Columns = Mapping[str, Floats]
"""What the columns of a product's matrix are multiplied by, by the product's name."""


def quantize(model: ov.Model, bits: int, columns: Columns | None = None) -> None:
    """Replace the matrices of `model`'s MatMul and Gather operations, in place. The rest stays in float32.

    In 16 bits the frequencies of positions would turn the thousandth token by up to half a radian too far. The model
    says in which groups its activations are to be rounded, where the arithmetic rounds them.
    """
    places = [(port, _place(port, columns or {})) for port in _ports(model)]
    read = {place for port, place in places if _is_product(port.get_node())}
    packed = {place: _pack(place, bits, whole=place in read) for place in {place for _, place in places}}
    for port, place in places:
        _replace(port, packed[place], turned=place.turned)
    model.set_rt_info(str(_activation_group(read, bits)), _ACTIVATION_GROUP)
    model.validate_nodes_and_infer_types()


def products(model: ov.Model) -> list[Any]:
    """Return the matrix products of `model` whose matrices `quantize` replaces."""
    return [port.get_node() for port in _ports(model) if _is_product(port.get_node())]


def mean_squares(product: Any) -> Floats:
    """Return the mean square of each column of the matrix of `product`."""
    place = _place(product.input(1), {})
    total = np.sum([np.einsum("ij,ij->j", rows, rows) for rows in place.rows()], axis=0)
    return np.asarray(total / place.height, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Place:
    """A matrix, by its constant's name, and by the product's if its columns are multiplied."""

    name: str
    constant: Any = field(compare=False)
    turned: bool
    """Whether the summed dimension comes first; groups lie along it, so it must come last."""
    columns: Floats | None = field(compare=False)

    @property
    def height(self) -> int:
        return int(self.constant.shape[1 if self.turned else 0])

    @property
    def width(self) -> int:
        return int(self.constant.shape[0 if self.turned else 1])

    def rows(self) -> Iterator[Floats]:
        """Yield the matrix, [out, in], some rows at a time."""
        matrix = self.constant.data.T if self.turned else self.constant.data
        for first in range(0, self.height, _ROWS):
            rows = np.ascontiguousarray(matrix[first : first + _ROWS], dtype=np.float32)
            yield rows if self.columns is None else rows * self.columns


def _ports(model: ov.Model) -> list[Any]:
    """The inputs that read a matrix."""
    kinds = {"MatMul": 1, "Gather": 0}
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() in kinds]
    ports = [node.input(kinds[node.get_type_name()]) for node in nodes]
    return [port for port in ports if _is_matrix(_constant(port))]


def _is_product(node: Any) -> bool:
    return bool(node.get_type_name() == "MatMul")


def _activation_group(read: Collection[_Place], bits: int) -> int:
    """With smaller groups than that in a row of weights, OpenVINO 2026.4 computes two to three times as long."""
    sizes = _ACTIVATIONS if bits == WHOLE_ROWS else _ACTIVATIONS[-1:]
    return next((size for size in sizes if all(place.width % size == 0 for place in read)), _ACTIVATIONS[-1])


def _constant(port: Any) -> Any:
    """Return the node that `port` reads, without the conversion after a 16-bit weight."""
    node = port.get_source_output().get_node()
    return node.input_value(0).get_node() if node.get_type_name() == "Convert" else node


def _place(port: Any, columns: Columns) -> _Place:
    node, constant = port.get_node(), _constant(port)
    turned = _is_product(node) and not node.get_attributes()["transpose_b"]
    name, factors = constant.get_friendly_name(), columns.get(node.get_friendly_name())
    return _Place(name if factors is None else f"{name} {node.get_friendly_name()}", constant, turned, factors)


def _is_matrix(node: Any) -> bool:
    return node.get_type_name() == "Constant" and len(node.shape) == 2 and min(node.shape) >= _SMALLEST  # noqa: PLR2004


def _replace(port: Any, unpacked: Any, *, turned: bool) -> None:
    node = port.get_node()
    if not turned:
        port.replace_source_output(unpacked.output(0))
        return
    product = ops.matmul(node.input_value(0), unpacked, node.get_attributes()["transpose_a"], True)
    product.set_friendly_name(node.get_friendly_name())
    for reader in node.output(0).get_target_inputs():
        reader.replace_source_output(product.output(0))


def _pack(place: _Place, bits: int, *, whole: bool) -> Any:
    """Return operations that unpack the quantized matrix, [out, in]. `whole`: a product reads it."""
    bits = 8 if place.height > _LARGEST_MATRIX else bits
    sizes = () if whole and bits == WHOLE_ROWS else GROUPS[bits]
    size = next((size for size in sizes if place.width % size == 0), place.width)
    groups = (rows.reshape(len(rows), -1, size) for rows in place.rows())
    unpacked = _bytes(groups) if bits == 8 else _nibbles(groups)  # noqa: PLR2004
    shape = np.array([place.height, place.width], dtype=np.int64)
    return ops.convert(ops.reshape(unpacked, ops.constant(shape), False), ov.Type.f32)


def _bytes(parts: Iterable[Floats]) -> Any:
    rounded = [_rounded(part) for part in parts]
    numbers = np.concatenate([numbers for numbers, _ in rounded])
    scales = np.concatenate([scales for _, scales in rounded])
    return ops.multiply(ops.convert(ops.constant(numbers), ov.Type.f16), ops.constant(scales))


def _rounded(groups: Floats) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Return numbers and scales; each group uses the closest of three scales.

    The largest number becomes ±127, or −128, so that weights that were quantized before in such groups, to 8 or 5
    bits, stay the same; or it is cut a little, which in a long row brings the others closer.
    """
    furthest = np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)
    sizes = np.abs(furthest / 127)
    tries = [_with_scale(groups, scale) for scale in (sizes, furthest / -128, _CUT * sizes)]
    best = np.argmin([errors for _, _, errors in tries], axis=0)
    numbers, scales = (np.choose(best, [each[place] for each in tries]) for place in (0, 1))
    return numbers.astype(np.int8), scales


def _with_scale(groups: Floats, scale: NDArray[Any]) -> tuple[Floats, NDArray[np.float16], Floats]:
    """Return numbers, the scale as it is stored, and each group's squared error."""
    halved = _not_zero(scale)
    wide = halved.astype(np.float32)
    numbers = np.clip(np.rint(groups / wide), -128, 127)
    return numbers, halved, np.square(numbers * wide - groups).sum(-1, keepdims=True)


def _nibbles(parts: Iterable[Floats]) -> Any:
    """Sixteen levels from each group's lowest weight to its highest, zero among them."""
    groups = np.concatenate(list(parts))
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
