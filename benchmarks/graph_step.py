"""Where the time of one step of a model's graph goes, by its operations.

The graph is compiled as GenAI compiles it, with a paged KV cache, and run with so many sequences that each write one
token after so much of a past. `Companions` are sequences too: one user is two of them.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
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
        self._properties = dict(properties)
        self._model = ov.Core().read_model(directory / "openvino_model.xml")
        self._head = _head(self._model)
        paged_attention_transformation(self._model)

    def milliseconds(self, sequences: int, past: int, steps: int) -> dict[str, float]:
        """Return the median of `all` over `steps`, and the means of each kind of operation while they are counted."""
        alone, _ = self._run(sequences, past, steps, counted=False)
        _, request = self._run(sequences, past, steps, counted=True)
        kinds: dict[str, float] = defaultdict(float)
        for node in request.get_profiling_info():
            kinds[self._kind(node)] += node.real_time.total_seconds()
        times = {"all": statistics.median(alone), **kinds}
        return {kind: round(1000 * seconds, 2) for kind, seconds in times.items()}

    def _run(self, sequences: int, past: int, steps: int, *, counted: bool) -> tuple[list[float], Any]:
        """Each model counts from when it is compiled, and gives means."""
        properties = {**self._properties, "PERF_COUNT": "YES" if counted else "NO"}
        compiled = ov.Core().compile_model(self._model, "CPU", properties)
        request = compiled.create_infer_request()
        for name, values in _inputs(compiled, sequences, past).items():
            request.set_tensor(name, ov.Tensor(values))
        return [_seconds(request) for _ in range(steps + _WARM_UP)][_WARM_UP:], request

    def _kind(self, node: Any) -> str:
        return "head" if node.node_name == self._head else _KINDS.get(node.node_type, "all else")


def _seconds(request: Any) -> float:
    began = time.perf_counter()
    request.infer()
    return time.perf_counter() - began


def _inputs(compiled: Any, sequences: int, past: int) -> dict[str, Any]:
    blocks = past // _BLOCK + 1
    ends = np.arange(sequences + 1, dtype=np.int32) * blocks
    caches = {
        one.get_any_name(): np.zeros(
            [ends[-1], *(side.get_length() for side in list(one.get_partial_shape())[1:])],
            one.get_element_type().to_dtype(),
        )
        for one in compiled.inputs
        if "_cache." in one.get_any_name()
    }
    return caches | {
        "input_ids": np.arange(300, 300 + sequences, dtype=np.int64),
        "position_ids": np.full(sequences, past, np.int64),
        "max_context_len": np.array(past + 1, np.int32),
        "past_lens": np.full(sequences, past, np.int32),
        "subsequence_begins": np.arange(sequences + 1, dtype=np.int32),
        "block_indices_begins": ends,
        "block_indices": np.arange(ends[-1], dtype=np.int32),
    }


def _head(model: Any) -> str:
    """Return the name of the product that gives the logits."""
    rows = model.output("logits").get_partial_shape()[-1]
    products = (node for node in model.get_ordered_ops() if node.get_type_name() == "MatMul")
    return next(str(node.get_friendly_name()) for node in products if node.output(0).get_partial_shape()[-1] == rows)
