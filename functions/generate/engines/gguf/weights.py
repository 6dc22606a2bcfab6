"""Read the weights of a GGUF file in float32, one tensor at a time, in transformers' layout."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf as vendor
import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.gguf.header import BLOCKS, Header, Tensor, UnreadableGGUF
from functions.generate.engines.gguf.layers import shape_problem

_AT_ONCE = 4096
"""Blocks that are unpacked together."""

Floats = NDArray[np.float32]


class Weights(Mapping[str, Floats]):
    """Maps the file's names of tensors to weights, which are read on access."""

    def __init__(self, path: Path, header: Header) -> None:
        """Raises UnreadableGGUF, after the file's name, if a tensor has a shape that does not fit the others."""
        if why := shape_problem(header):
            raise UnreadableGGUF(why)
        self._header = header
        self._tensors = {tensor.name: tensor for tensor in header.tensors}
        self._bytes: Any = np.memmap(path, dtype=np.uint8, mode="r")

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> Floats:
        tensor = self._tensors[name]
        values = _unpacked(self._bytes[tensor.offset : tensor.offset + tensor.size], tensor.kind)
        return _arranged(self._header, tensor, values.reshape(tensor.shape))


def _unpacked(data: Any, kind: int) -> Floats:
    """Unpack many blocks at a time; the package would take a few rows each."""
    weights, size = BLOCKS[kind]
    blocks = data.reshape(-1, size)
    values = np.empty((len(blocks), weights), dtype=np.float32)
    for first in range(0, len(blocks), _AT_ONCE):
        part = blocks[first : first + _AT_ONCE].reshape(1, -1)
        values[first : first + _AT_ONCE] = vendor.dequantize(part, vendor.GGMLQuantizationType(kind)).reshape(
            -1, weights
        )
    return values


def _arranged(header: Header, tensor: Tensor, values: Floats) -> Floats:
    if header.architecture == "llama" and ".attn_q." in tensor.name:
        return _halves(values, int(header.value("attention.head_count")))
    if header.architecture == "llama" and ".attn_k." in tensor.name:
        return _halves(
            values,
            int(header.value("attention.head_count_kv", header.value("attention.head_count"))),
        )
    return values


def _halves(values: Floats, heads: int) -> Floats:
    """Reorder rows: llama.cpp rotates neighbouring pairs, transformers one half of a head against the other."""
    pairs = values.reshape(heads, -1, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)
