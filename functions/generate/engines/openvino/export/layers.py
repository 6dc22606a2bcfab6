"""Build parts of a language model from OpenVINO operations, in forms that it fuses and that paged attention knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.library import ops, ov

_NEVER = -65504.0
Floats = NDArray[np.float32]
Node = Any
"""An operation of OpenVINO, which has no types for them."""


def matrix(values: Floats) -> Node:
    """Return a constant with `values`, without copying them."""
    return ops.constant(values, shared_memory=True)


def number(value: float) -> Node:
    return ops.constant(np.float32(value))


def linear(inputs: Node, weight: Node, bias: Floats | None = None) -> Node:
    product = ops.matmul(inputs, weight, False, True)
    return product if bias is None else ops.add(product, ops.constant(bias[None, None]))


def rms_norm(inputs: Node, weight: Floats, epsilon: float) -> Node:
    """Divide by the root of the mean square, multiply by `weight`."""
    squares = ops.reduce_mean(ops.power(inputs, number(2)), ops.constant([-1]), True)
    scale = ops.divide(number(1), ops.sqrt(ops.add(squares, number(epsilon))))
    return ops.multiply(ops.multiply(inputs, scale), ops.constant(weight))


@dataclass(frozen=True, slots=True)
class Angles:
    cosines: Node
    sines: Node


def angles(positions: Node, frequencies: NDArray[np.floating], scale: float = 1.0) -> Angles:
    """Return the angles by which heads are rotated at `positions`, [batch, tokens]."""
    turns = ops.multiply(
        ops.convert(ops.unsqueeze(positions, ops.constant(2)), "f32"),
        ops.constant(np.asarray(frequencies, dtype=np.float32)[None, None]),
    )
    both = ops.concat([turns, turns], -1)
    waves = [ops.cos(both), ops.sin(both)]
    if scale != 1.0:
        waves = [ops.multiply(wave, number(scale)) for wave in waves]
    return Angles(*(ops.unsqueeze(wave, ops.constant(1)) for wave in waves))


def rotate(heads: Node, width: int, by: Angles) -> Node:
    """Rotate each head by the angles `by`, its first half against its second."""
    half = width // 2
    swapped = ops.concat([ops.multiply(_slice(heads, half, width), number(-1)), _slice(heads, 0, half)], -1)
    return ops.add(ops.multiply(heads, by.cosines), ops.multiply(swapped, by.sines))


def _slice(heads: Node, begin: int, end: int) -> Node:
    return ops.slice(heads, *(ops.constant([place]) for place in (begin, end, 1, 3)))


def split_heads(inputs: Node, heads: int, width: int) -> Node:
    """Reshape [batch, tokens, heads × width] to [batch, heads, tokens, width]."""
    apart = ops.reshape(inputs, ops.constant([0, 0, heads, width]), True)
    return ops.transpose(apart, ops.constant([0, 2, 1, 3]))


def join_heads(heads: Node, count: int, width: int) -> Node:
    """Undo `split_heads`."""
    return ops.reshape(ops.transpose(heads, ops.constant([0, 2, 1, 3])), ops.constant([0, 0, count * width]), True)


def attend(query: Node, key: Node, value: Node, mask: Node, *, scale: float, shared_by: int) -> Node:
    """Return attention. `shared_by`: how many heads of `query` share a head of `key` and `value`."""
    keys, values = (_repeated(heads, shared_by) for heads in (key, value))
    return ops.scaled_dot_product_attention(query, keys, values, mask, number(scale))


def _repeated(heads: Node, times: int) -> Node:
    if times == 1:
        return heads
    _, count, _, width = (dimension.get_max_length() for dimension in heads.get_output_partial_shape(0))
    shape = ops.constant([1, 1, times, 1, 1])
    wide = ops.broadcast(ops.unsqueeze(heads, ops.constant(2)), shape, broadcast_spec="BIDIRECTIONAL")
    return ops.reshape(wide, ops.constant([0, count * times, -1, width]), True)


class KeyValueCache:
    """The keys and values of earlier tokens: empty at first, reordered by `beams`."""

    def __init__(self, ids: Node, beams: Node) -> None:
        self._beams = beams
        self._batch = ops.gather(ops.shape_of(ids, "i64"), ops.constant([0]), ops.constant(0))
        self.sinks: list[Node] = []
        self.before: Node = None
        """The number of earlier tokens."""

    def extend(self, new: Node) -> Node:
        """Append `new`, [batch, heads, tokens, width], and return all keys or values so far."""
        place = len(self.sinks)
        name = f"past.{place}present.{place}"
        _, heads, _, width = (dimension.get_max_length() for dimension in new.get_output_partial_shape(0))
        shape = ops.concat([self._batch, ops.constant([heads, 0, width])], 0)
        known = ops.read_value(
            ops.broadcast(number(0), shape), name, ov.Type.f32, ov.PartialShape([-1, heads, -1, width])
        )
        past = ops.gather(known, self._beams, ops.constant(0))
        if self.before is None:
            self.before = ops.gather(ops.shape_of(past, "i64"), ops.constant(2), ops.constant(0))
        both = ops.concat([past, new], -2)
        self.sinks.append(ops.assign(both, name))
        return both


def mask(ids: Node, attention_mask: Node, before: Node, window: int | None) -> Node:
    """Return the mask of what each new token sees: all tokens up to itself, or the last `window` of them."""
    tokens, all_tokens = _length(ids), _length(attention_mask)
    key = _unsqueezed(_counted(all_tokens), (0, 1, 2))
    query = _unsqueezed(ops.add(_counted(tokens), before), (0, 1, 3))
    seen = _unsqueezed(ops.convert(attention_mask, "boolean"), (1, 2))
    causal = ops.less_equal(key, query)
    if window is None:
        return ops.bitwise_and(causal, seen)
    # Recognised by exactly these operations in this order: see `export.attention`.
    yes = ops.constant(np.array(True))
    near = ops.greater(key, ops.add(query, ops.constant(np.int64(-window))))
    both = ops.bitwise_and(ops.bitwise_and(yes, ops.bitwise_and(ops.bitwise_and(yes, near), causal)), seen)
    batch = ops.gather(ops.shape_of(attention_mask, "i64"), ops.constant([0]), ops.constant(0))
    one, last = ops.constant([1]), ops.reshape(all_tokens, ops.constant([1]), False)
    shape = ops.concat([batch, one, ops.reshape(tokens, ops.constant([1]), False), last], 0)
    whole = ops.broadcast(both, shape, broadcast_spec="BIDIRECTIONAL")
    chosen = ops.select(whole, number(0), number(_NEVER))
    return ops.slice(chosen, ops.constant([0]), last, ops.constant([1]), ops.constant([3]))


def _length(tokens: Node) -> Node:
    return ops.gather(ops.shape_of(tokens, "i64"), ops.constant(1), ops.constant(0))


def _counted(length: Node) -> Node:
    return ops.range(ops.constant(0), length, ops.constant(1), output_type="i64")


def _unsqueezed(node: Node, axes: Sequence[int]) -> Node:
    for axis in axes:
        node = ops.unsqueeze(node, ops.constant(axis))
    return node
