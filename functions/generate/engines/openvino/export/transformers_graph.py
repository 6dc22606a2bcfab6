"""A causal language model of transformers as OpenVINO GenAI serves it: traced, its KV cache turned into state."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from functions.generate.engines.openvino.export.attention import Attention
from functions.generate.engines.openvino.export.graph_passes import check_attention, lift_logits
from functions.generate.engines.openvino.library import convert_traced, ops, ov, passes

_jit: Any = torch.jit  # untyped
_TOKENS = ("input_ids", "attention_mask", "position_ids")
_BATCH, _BEFORE, _NEW = 2, 3, 4
"""Of the example that is traced."""


def trace_graph(model: PreTrainedModel) -> ov.Model:
    """Inputs input_ids, attention_mask, position_ids [batch, tokens] and beam_idx [batch]; output logits.

    Raises Unsupported for attention of a kind that paged attention does not know, and whatever tracing raises.
    """
    with Attention(model) as attention:
        cache = _Cache(model, attention)
        example = (
            torch.ones(_BATCH, _NEW, dtype=torch.long),
            torch.ones(_BATCH, _BEFORE + _NEW, dtype=torch.long),
            torch.arange(_BEFORE, _BEFORE + _NEW).expand(_BATCH, _NEW),
            *(torch.zeros(_BATCH, heads, _BEFORE, width) for heads, width in cache.shapes),
        )
        # Traced once; OpenVINO would do it three times, to compare.
        step = _jit.trace(_Step(model, attention), example, strict=False, check_trace=False)
        traced = convert_traced(step, example)
    _name(traced, cache)
    _hide_cache(traced, cache)
    lift_logits(traced)
    check_attention(traced, attention.windows)
    return traced


class _Cache:
    """The heads and the width of each layer's keys and values, by turns, as the model writes them."""

    def __init__(self, model: PreTrainedModel, attention: Attention) -> None:
        past = _Past()
        ids = torch.ones(_BATCH, _NEW, dtype=torch.long)
        with torch.inference_mode(), attention.step():
            _call(model, ids, torch.ones_like(ids), torch.arange(_NEW).expand(_BATCH, _NEW), past)
        self.shapes = [(int(tensor.shape[1]), int(tensor.shape[-1])) for tensor in past.tensors]

    @property
    def names(self) -> dict[str, str]:
        return {f"past.{number}": f"present.{number}" for number in range(len(self.shapes))}


class _Step(torch.nn.Module):
    """One step: the cache's tensors in and out."""

    def __init__(self, model: PreTrainedModel, attention: Attention) -> None:
        super().__init__()
        self._model = model
        self._attention = attention

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, *past: Any) -> Any:
        cache = _Past(past)
        with self._attention.step():
            output = _call(self._model, input_ids, attention_mask, position_ids, cache)
        return output.logits, *cache.tensors


def _call(model: Any, input_ids: Any, attention_mask: Any, position_ids: Any, past: "_Past") -> Any:
    return model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=position_ids,
        past_key_values=past,
        use_cache=True,
    )


class _Past(DynamicCache):  # type: ignore[misc]  # transformers exports it untyped
    """A cache of plain tensors, keys and values by turns; it keeps all of them, whatever the layers can see."""

    def __init__(self, tensors: Iterable[Any] = ()) -> None:
        super().__init__()
        self.tensors = list(tensors)
        self._before = self.tensors[0].shape[-2] if self.tensors else 0

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *_: Any, **__: Any) -> Any:
        first = 2 * layer_idx
        if len(self.tensors) == first:
            self.tensors += [key_states, value_states]
        else:
            for place, new in ((first, key_states), (first + 1, value_states)):
                self.tensors[place] = torch.cat([self.tensors[place], new], -2)
        return self.tensors[first], self.tensors[first + 1]

    def get_seq_length(self, layer_idx: int = 0) -> Any:
        return self._before

    def get_query_offset(self, layer_idx: int = 0) -> Any:
        return self._before

    def get_mask_sizes(self, query_length: Any, layer_idx: int = 0) -> Any:
        return self._before + query_length, 0


def _name(model: ov.Model, cache: _Cache) -> None:
    for port, name in zip(model.inputs, (*_TOKENS, *cache.names), strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
        port.get_node().set_element_type(ov.Type.i64 if name in _TOKENS else ov.Type.f32)
        port.get_node().set_partial_shape(ov.PartialShape([-1, -1]))
    for (heads, width), name in zip(cache.shapes, cache.names, strict=True):
        model.input(name).get_node().set_partial_shape(ov.PartialShape([-1, heads, -1, width]))
    for port, name in zip(model.outputs, ("logits", *cache.names.values()), strict=True):
        port.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()


def _hide_cache(model: ov.Model, cache: _Cache) -> None:
    """The cache becomes state, empty at first, which `beam_idx` reorders."""
    beams = ops.parameter([-1], ov.Type.i32, name="beam_idx")
    beams.output(0).get_tensor().set_names({"beam_idx"})
    model.add_parameters([beams])
    for name in cache.names:
        port = model.input(name)
        readers = port.get_target_inputs()
        gathered = ops.gather(port, beams, ops.constant(0))
        for reader in readers:
            reader.replace_source_output(gathered.output(0))
    model.validate_nodes_and_infer_types()
    passes.apply_make_stateful_transformation(model, cache.names)
    batch = ops.gather(ops.shape_of(model.input("input_ids"), "i64"), ops.constant([0]), ops.constant(0))
    shapes = {
        f"{past}{present}": shape for (past, present), shape in zip(cache.names.items(), cache.shapes, strict=True)
    }
    for node in model.get_ops():
        if node.get_type_name() == "ReadValue":
            heads, width = shapes[node.get_attributes()["variable_id"]]
            shape = ops.concat([batch, ops.constant(np.array([heads, 0, width], dtype=np.int64))], axis=0)
            node.set_arguments([ops.broadcast(ops.constant(np.float32(0)), shape)])
    model.validate_nodes_and_infer_types()
