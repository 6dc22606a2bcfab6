"""Train an adapter with logits for the tokens of the data only.

A head of 262,144 tokens takes a quarter of a step's time, and the data use a few thousand of them. The head itself is
not trained, and the other tokens have little probability in such text, so omitting them hardly changes the result.
Scores are always computed with the whole head.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import Linear

from training.fit.packing import IGNORED, Pack


@dataclass(frozen=True, slots=True)
class DataVocabulary:
    """The tokens that occur in some packs."""

    tokens: torch.Tensor
    """Of shape (tokens,), in ascending order."""

    @classmethod
    def from_packs(cls, packs: Iterable[Pack]) -> "DataVocabulary":
        return cls(torch.tensor(sorted({token for pack in packs for token in pack["input_ids"][0].tolist()})))

    def relabel(self, pack: Pack) -> Pack:
        """Return `pack` with labels for the narrow head: positions in `tokens`."""
        labels = pack["labels"]
        places = torch.searchsorted(self.tokens, labels.clamp(min=0))
        return {**pack, "labels": torch.where(labels == IGNORED, IGNORED, places)}

    @contextmanager
    def narrow_head(self, model: Any) -> Iterator[None]:
        """Restrict the head of `model` to these tokens inside the context."""
        whole = model.get_output_embeddings()
        model.set_output_embeddings(self._rows(whole))
        try:
            yield
        finally:
            model.set_output_embeddings(whole)

    def _rows(self, head: Any) -> Linear:
        narrow = Linear(head.in_features, len(self.tokens), bias=head.bias is not None, dtype=head.weight.dtype)
        narrow.load_state_dict({name: rows[self.tokens] for name, rows in head.state_dict().items()})
        return narrow.requires_grad_(False)
