"""How many bits a model takes for texts, given what came before: the product's graph, and transformers beside it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.spelling import Speller
from functions.generate.engines.openvino.library import ov
from functions.generate.engines.openvino.renumbering import FILE_NAME

MODEL = "openvino_model.xml"
_PADDING = 0


class Reader(Protocol):
    def bits(self, before: list[int], texts: Sequence[list[int]]) -> list[float]:
        """Of each of the texts, all in the tokenizer's ids, after `before`."""
        ...


class Reference:
    """transformers, float32."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def bits(self, before: list[int], texts: Sequence[list[int]]) -> list[float]:
        longest = max(map(len, texts))
        rows = torch.tensor([before + text + [_PADDING] * (longest - len(text)) for text in texts])
        with torch.inference_mode():
            logits = self._model(rows, logits_to_keep=longest + 1).logits[:, :-1]
        return [_bits(row.numpy(), np.array(text)) for row, text in zip(logits, texts, strict=True)]


class Prepared:
    """A prepared model. What came before is read first, so that the texts see it through the KV cache."""

    def __init__(self, directory: Path, properties: Mapping[str, str], pieces: Mapping[str, int]) -> None:
        """`pieces` is the tokenizer's vocabulary."""
        compiled = ov.Core().compile_model(directory / MODEL, "CPU", dict(properties))
        self._request = compiled.create_infer_request()
        rows = compiled.output("logits").get_partial_shape()[-1].get_length()
        order = directory / FILE_NAME
        self._order = np.load(order) if order.is_file() else np.arange(max(rows, max(pieces.values()) + 1))
        self._places = np.argsort(self._order)
        self._speller = Speller(pieces, self._order[:rows].tolist())

    def bits(self, before: list[int], texts: Sequence[list[int]]) -> list[float]:
        spelled = [self._places[self._speller.spelled(text)] for text in texts]
        longest = max(map(len, spelled))
        start = np.tile(self._places[before], (len(texts), 1))
        rest = np.stack([np.pad(text, (0, longest - len(text)), constant_values=_PADDING) for text in spelled])
        self._request.reset_state()
        if len(before) > 1:
            self._read(start[:, :-1], 0)
        logits = self._read(np.hstack([start[:, -1:], rest[:, :-1]]), len(before) - 1)
        return [_bits(row, text) for row, text in zip(logits, spelled, strict=True)]

    def _read(self, tokens: NDArray[Any], begin: int) -> NDArray[np.float32]:
        count, length = tokens.shape
        result = self._request.infer(
            {
                "input_ids": tokens.astype(np.int64),
                "attention_mask": np.ones((count, begin + length), dtype=np.int64),
                "position_ids": np.tile(np.arange(begin, begin + length), (count, 1)),
                "beam_idx": np.arange(count, dtype=np.int32),
            }
        )
        logits: NDArray[np.float32] = result["logits"]
        return logits


def _bits(logits: NDArray[np.float32], text: NDArray[Any]) -> float:
    """What `text` takes if `logits` came before each of its tokens."""
    of_text = logits[: len(text)]
    of_text = of_text - of_text.max(-1, keepdims=True)
    chosen = of_text[np.arange(len(text)), text]
    return float((np.log(np.exp(of_text).sum(-1, dtype=np.float64)) - chosen).sum() / math.log(2))
