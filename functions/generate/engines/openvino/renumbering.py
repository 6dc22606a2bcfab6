"""The numbers that tokens have inside a model with a narrow head, where those that it writes come first."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DESCRIBED = "serving.json"
FILE_NAME = "vocabulary.npy"
"""The tokenizer's ids in the order of the model's own; a model that has none uses the tokenizer's."""


def write(directory: Path, order: NDArray[np.int32]) -> None:
    np.save(directory / FILE_NAME, order)


class Renumbering:
    """From the tokenizer's ids to the model's own and back."""

    def __init__(self, order: NDArray[np.int32], rows: int) -> None:
        """`rows`: the model writes the first so many of `order`. Raises ValueError if that is no order."""
        if not 0 < rows <= len(order) or not np.array_equal(np.sort(order), np.arange(len(order))):
            raise ValueError(f"{FILE_NAME} is damaged")
        self._order = order
        self._rows = rows
        self._places = np.argsort(order)

    def inside(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        """What the model reads for `tokens`."""
        ids = np.array(tokens, dtype=np.int64)
        known = (ids >= 0) & (ids < len(self._places))
        ids[known] = self._places[ids[known]]
        return ids

    def written(self, tokens: Collection[int]) -> set[int]:
        """What the model writes for `tokens`, without those that it never writes: GenAI looks no bounds up."""
        return {int(token) for token in self.inside(list(tokens)) if token < self._rows}

    def outside(self, tokens: Sequence[int]) -> list[int]:
        """The tokenizer's ids of what the model wrote."""
        found: list[int] = self._order[list(tokens)].tolist()
        return found


class IdentityNumbering(Renumbering):
    """A model whose ids are the tokenizer's."""

    def __init__(self) -> None: ...

    def inside(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        return np.array(tokens, dtype=np.int64)

    def written(self, tokens: Collection[int]) -> set[int]:
        return set(tokens)

    def outside(self, tokens: Sequence[int]) -> list[int]:
        return list(tokens)


def read(directory: Path) -> Renumbering:
    """Of the prepared model in `directory`. Raises OSError or ValueError if it has one that can't be read."""
    rows = json.loads((directory / _DESCRIBED).read_bytes()).get("rows")
    file = directory / FILE_NAME
    if rows is None and not file.exists():
        return IdentityNumbering()
    order = np.load(file)
    return Renumbering(order, rows or len(order))
