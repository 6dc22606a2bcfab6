"""Read the header of a GGUF file, its metadata and the list of its tensors, without torch and the weights.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

SUFFIX: Final = ".gguf"
MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
POINTER: Final = b"version https://git-lfs"

BLOCKS: Final[Mapping[int, tuple[int, int]]] = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    3: (32, 20),  # Q4_1
    6: (32, 22),  # Q5_0
    7: (32, 24),  # Q5_1
    8: (32, 34),  # Q8_0
    10: (256, 84),  # Q2_K
    11: (256, 110),  # Q3_K
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    16: (256, 66),  # IQ2_XXS
    17: (256, 74),  # IQ2_XS
    18: (256, 98),  # IQ3_XXS
    19: (256, 50),  # IQ1_S
    20: (32, 18),  # IQ4_NL
    21: (256, 110),  # IQ3_S
    22: (256, 82),  # IQ2_S
    23: (256, 136),  # IQ4_XS
    29: (256, 56),  # IQ1_M
    30: (1, 2),  # BF16
    34: (256, 54),  # TQ1_0
    35: (256, 66),  # TQ2_0
    39: (32, 17),  # MXFP4
}
"""By the number of each type that can be unpacked: weights in a block, and its bytes."""

_NUMBERS: Final = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_TEXT, _LIST = 8, 9
_KEPT = 4096
"""Longest list of numbers that is always kept; of longer lists, and lists of texts, only the length is."""


class UnreadableGGUF(ValueError):
    """The file is of another kind or damaged; the message follows the file's name."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` as torch has it; `offset` is from the file's beginning."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes. Raises KeyError for a kind that is not in `BLOCKS`."""
        weights, size = BLOCKS[self.kind]
        return prod(self.shape) // weights * size


@dataclass(frozen=True, slots=True)
class Header:
    metadata: Mapping[str, Any]
    """The length of a list stands for one that was not kept."""
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    def value(self, name: str, default: Any = None) -> Any:
        """Return the metadata `name` of the file's architecture."""
        return self.metadata.get(f"{self.architecture}.{name}", default)

    @property
    def parameters(self) -> int:
        return sum(prod(tensor.shape) for tensor in self.tensors)


def read_header(path: Path, whole: Collection[str] = ()) -> Header:
    """Read the header of `path`. `whole`: names of lists to keep at any length. Raises UnreadableGGUF or OSError."""
    with path.open("rb") as file:
        begins = file.read(len(POINTER))
        if begins == POINTER:
            raise UnreadableGGUF("is a Git LFS pointer: run `git lfs pull`")
        if not begins.startswith(MAGIC):
            raise UnreadableGGUF("is no GGUF file")
        if int.from_bytes(begins[4:8], "little") not in VERSIONS:
            raise UnreadableGGUF("is a GGUF file of a version that can't be read: convert the model again")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                header = _Reader(data, whole).header()
            except (struct.error, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError):
                raise UnreadableGGUF("is cut off or damaged: download or copy it again") from None
            ends = (tensor.offset + tensor.size for tensor in header.tensors if tensor.kind in BLOCKS)
            if max(ends, default=0) > len(data):
                raise UnreadableGGUF("is cut off: download or copy it again")
    return header


class _Reader:
    """Reads the header at a cursor."""

    def __init__(self, data: mmap.mmap, whole: Collection[str]) -> None:
        self._data = data
        self._whole = whole
        self._at = 8

    def header(self) -> Header:
        tensors, entries = self._numbers("<QQ")
        metadata = {}
        for _ in range(entries):
            name = self._text()
            metadata[name] = self._value(*self._numbers("<I"), whole=name in self._whole)
        found = [self._tensor() for _ in range(tensors)]
        alignment = int(metadata.get("general.alignment", 32)) or 1
        begins = -(-self._at // alignment) * alignment
        return Header(metadata, tuple(Tensor(name, shape, kind, begins + at) for name, shape, kind, at in found))

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text()
        (dimensions,) = self._numbers("<I")
        shape = self._numbers(f"<{min(dimensions, 9)}Q")
        kind, offset = self._numbers("<IQ")
        return name, tuple(reversed(shape)), kind, offset

    def _value(self, kind: int, *, whole: bool = False) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind == _LIST:
            return self._list(*self._numbers("<IQ"), whole=whole)
        return self._numbers(_NUMBERS.get(kind) or _damaged())[0]

    def _list(self, kind: int, count: int, *, whole: bool) -> Any:
        if kind == _TEXT and whole:
            return [self._text() for _ in range(count)]
        if kind not in _NUMBERS:
            for _ in range(count):
                self._value(kind)
            return count
        code = _NUMBERS[kind]
        if whole or count <= _KEPT:
            return list(self._numbers(f"<{count}{code[1]}"))
        self._at += count * struct.calcsize(code)
        return count

    def _text(self) -> str:
        (size,) = self._numbers("<Q")
        begins, self._at = self._at, self._at + size
        if self._at > len(self._data):
            _damaged()
        return self._data[begins : self._at].decode()

    def _numbers(self, code: str) -> tuple[Any, ...]:
        found = struct.unpack_from(code, self._data, self._at)
        self._at += struct.calcsize(code)
        return found


def _damaged() -> Any:
    raise struct.error
