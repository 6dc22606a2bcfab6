"""Number tokens as a model with a narrow head does: those that it can write come first."""

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
    """Converts the tokenizer's ids to the model's and back."""

    def __init__(self, order: NDArray[np.int32], rows: int) -> None:
        """`rows`: how many tokens, first in `order`, the model can write. Raises ValueError if `order` is invalid."""
        if not 0 < rows <= len(order) or not np.array_equal(np.sort(order), np.arange(len(order))):
            raise ValueError(f"{FILE_NAME} is damaged")
        self._order = order
        self._rows = rows
        self._places = np.argsort(order)

    def to_model_ids(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        """Return the model's ids of `tokens`."""
        ids = np.array(tokens, dtype=np.int64)
        known = (ids >= 0) & (ids < len(self._places))
        ids[known] = self._places[ids[known]]
        return ids

    def to_writable_ids(self, tokens: Collection[int]) -> set[int]:
        """Return the model's ids of those `tokens` that it can write; GenAI does not check bounds."""
        return {int(token) for token in self.to_model_ids(list(tokens)) if token < self._rows}

    def to_tokenizer_ids(self, tokens: Sequence[int]) -> list[int]:
        """Return the tokenizer's ids of the model's `tokens`."""
        found: list[int] = self._order[list(tokens)].tolist()
        return found


class IdentityNumbering(Renumbering):
    """For a model whose ids are the tokenizer's."""

    def __init__(self) -> None: ...

    def to_model_ids(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        return np.array(tokens, dtype=np.int64)

    def to_writable_ids(self, tokens: Collection[int]) -> set[int]:
        return set(tokens)

    def to_tokenizer_ids(self, tokens: Sequence[int]) -> list[int]:
        return list(tokens)


def read(directory: Path) -> Renumbering:
    """Read the renumbering of the prepared model in `directory`. Raises OSError or ValueError if unreadable."""
    rows = json.loads((directory / _DESCRIBED).read_bytes()).get("rows")
    file = directory / FILE_NAME
    if rows is None and not file.exists():
        return IdentityNumbering()
    order = np.load(file)
    return Renumbering(order, rows or len(order))
