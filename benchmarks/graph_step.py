"""Where the time of one step of a model's graph goes, by its operations.

The graph is compiled as GenAI compiles it, with a paged KV cache, and run with so many sequences that each write one
token after so much of a past. `Companions` are sequences too: one user is two of them.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from openvino._offline_transformations import paged_attention_transformation

from functions.generate.engines.openvino.library import ov

_BLOCK = 32
_WARM_UP = 5
_PRODUCTS = ("FullyConnected", "FullyConnectedCompressed", "MatMul")
_KINDS = {**dict.fromkeys(_PRODUCTS, "layers' products"), "PagedAttentionExtension": "attention", "RMS": "norms"}


class GraphStep:
    """Runs the steps of one prepared model."""

    def __init__(self, directory: Path, properties: Mapping[str, str]) -> None:
        model = ov.Core().read_model(directory / "openvino_model.xml")
        self._head = _head(model)
        paged_attention_transformation(model)
        compiled = {
            counted: ov.Core().compile_model(model, "CPU", {**properties, "PERF_COUNT": counted})
            for counted in ("NO", "YES")
        }
        self._plain, self._counted = compiled["NO"].create_infer_request(), compiled["YES"].create_infer_request()
        self._caches = [one for one in compiled["NO"].inputs if "_cache." in one.get_any_name()]

    def milliseconds(self, sequences: int, past: int, steps: int) -> dict[str, float]:
        """Medians over `steps`: of `all` without counting, of each kind of operation while they are counted."""
        given = self._inputs(sequences, past)
        alone = []
        for _ in range(steps + _WARM_UP):
            began = time.perf_counter()
            self._plain.infer(given, share_inputs=True)
            alone.append(time.perf_counter() - began)
        kinds: dict[str, list[float]] = defaultdict(list)
        for _ in range(steps):
            self._counted.infer(given, share_inputs=True)
            for kind, seconds in self._by_kind().items():
                kinds[kind].append(seconds)
        medians = {"all": alone[_WARM_UP:], **kinds}
        return {kind: round(1000 * statistics.median(some), 2) for kind, some in medians.items()}

    def _by_kind(self) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for node in self._counted.get_profiling_info():
            found[self._kind(node)] += node.real_time.total_seconds()
        return found

    def _kind(self, node: Any) -> str:
        return "head" if node.node_name == self._head else _KINDS.get(node.node_type, "all else")

    def _inputs(self, sequences: int, past: int) -> dict[str, Any]:
        blocks = past // _BLOCK + 1
        caches = {
            one.get_any_name(): np.zeros(
                [sequences * blocks, *(side.get_length() for side in list(one.get_partial_shape())[1:])], np.float32
            )
            for one in self._caches
        }
        ends = [0, *accumulate([blocks] * sequences)]
        return caches | {
            "input_ids": np.arange(300, 300 + sequences, dtype=np.int64),
            "position_ids": np.full(sequences, past, np.int64),
            "max_context_len": np.array(past + 1, np.int32),
            "past_lens": np.full(sequences, past, np.int32),
            "subsequence_begins": np.arange(sequences + 1, dtype=np.int32),
            "block_indices_begins": np.array(ends, np.int32),
            "block_indices": np.arange(ends[-1], dtype=np.int32),
        }


def _head(model: Any) -> str:
    """Return the name of the product that gives the logits."""
    rows = model.output("logits").get_partial_shape()[-1]
    products = (node for node in model.get_ordered_ops() if node.get_type_name() == "MatMul")
    return next(str(node.get_friendly_name()) for node in products if node.output(0).get_partial_shape()[-1] == rows)
