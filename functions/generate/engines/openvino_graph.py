"""A causal language model of transformers as OpenVINO GenAI serves it: traced, its KV cache turned into state."""

from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from functions.generate.engines.quiet_openvino import ops, ov, passes

_KINDS = {"full_attention", "sliding_attention"}
LIFT = 512.0
"""Added to all logits, which changes no probability. GenAI writes 0 for "never", and lowers only positive ones."""


class Unsupported(ValueError):
    """The model is built in a way that this engine can't run."""


def graph(model: PreTrainedModel) -> ov.Model:
    """Inputs input_ids, attention_mask, position_ids [batch, tokens] and beam_idx [batch]; output logits.

    Raises Unsupported for attention of a kind that paged attention does not know.
    """
    layers = _Layers(model.config.get_text_config())
    model.set_attn_implementation("sdpa")
    past = [torch.zeros(2, layers.heads, 3, layers.width) for _ in range(2 * layers.count)]
    example = {
        "input_ids": torch.ones(2, 4, dtype=torch.long),
        "attention_mask": torch.ones(2, 7, dtype=torch.long),
        "position_ids": torch.arange(3, 7).expand(2, 4),
        "past": past,
    }
    traced = ov.convert_model(_Step(model, layers), example_input=example)
    _name(traced, layers)
    _hide_cache(traced, layers)
    _check(traced, layers)
    return traced


class _Layers:
    """The shape of a model's attention."""

    def __init__(self, config: Any) -> None:
        self.count = int(config.num_hidden_layers)
        self.heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
        self.width = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        self.kinds: list[str] = list(getattr(config, "layer_types", None) or [])
        self.window: int | None = getattr(config, "sliding_window", None)
        if not set(self.kinds) <= _KINDS or (self.window and not self.kinds):
            raise Unsupported(f"layers of the kinds {sorted(set(self.kinds)) or ['sliding']}")

    @property
    def sliding(self) -> int:
        return self.kinds.count("sliding_attention")

    @property
    def cache_names(self) -> dict[str, str]:
        return {f"past.{number}": f"present.{number}" for number in range(2 * self.count)}


class _Step(torch.nn.Module):
    """One step: the cache's tensors in and out, and masks in the form that paged attention recognises."""

    def __init__(self, model: PreTrainedModel, layers: _Layers) -> None:
        super().__init__()
        self._model = model
        self._layers = layers

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past: Any) -> Any:
        cache = _Past(past)
        output = self._model(
            input_ids=input_ids,
            attention_mask=self._masks(input_ids, attention_mask, cache.get_seq_length()),
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        return output.logits + LIFT, *cache.tensors

    def _masks(self, input_ids: Any, attention_mask: Any, before: Any) -> Any:
        key = torch.arange(attention_mask.shape[-1])[None, None, None, :]
        query = (torch.arange(input_ids.shape[-1]) + before)[None, None, :, None]
        seen = attention_mask.to(torch.bool)[:, None, None, :]
        full = (key <= query) & seen
        if not self._layers.sliding:
            return full
        # Known by its very operations, their order included: see gpt_oss_sliding_window_pattern in OpenVINO's
        # state_management_pattern.cpp. `_check` sees to it that it was recognised.
        yes = torch.ones((), dtype=torch.bool)
        near = key > query + -int(self._layers.window or 0)
        both = (yes & ((yes & near) & (key <= query))) & seen
        whole = both.expand(input_ids.shape[0], 1, input_ids.shape[1], attention_mask.shape[1])
        sliding = torch.where(whole, 0.0, -65504.0)[:, :, :, : attention_mask.shape[1]]
        return {"full_attention": full, "sliding_attention": sliding}


class _Past(DynamicCache):  # type: ignore[misc]  # transformers exports it untyped
    """A cache of plain tensors, keys and values by turns; it keeps all of them, whatever the layers can see."""

    def __init__(self, tensors: list[Any]) -> None:
        super().__init__()
        self.tensors = list(tensors)

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *_: Any, **__: Any) -> Any:
        for place, new in ((2 * layer_idx, key_states), (2 * layer_idx + 1, value_states)):
            self.tensors[place] = torch.cat([self.tensors[place], new], -2)
        return self.tensors[2 * layer_idx], self.tensors[2 * layer_idx + 1]

    def get_seq_length(self, layer_idx: int = 0) -> Any:
        return self.tensors[2 * layer_idx].shape[-2]


def _name(model: ov.Model, layers: _Layers) -> None:
    tokens = ("input_ids", "attention_mask", "position_ids")
    for port, name in zip(model.inputs, (*tokens, *layers.cache_names), strict=True):
        is_cache = name not in tokens
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
        port.get_node().set_element_type(ov.Type.f32 if is_cache else ov.Type.i64)
        port.get_node().set_partial_shape(
            ov.PartialShape([-1, layers.heads, -1, layers.width] if is_cache else [-1, -1])
        )
    for port, name in zip(model.outputs, ("logits", *layers.cache_names.values()), strict=True):
        port.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()


def _hide_cache(model: ov.Model, layers: _Layers) -> None:
    """The cache becomes state, empty at first, which `beam_idx` reorders."""
    beams = ops.parameter([-1], ov.Type.i32, name="beam_idx")
    beams.output(0).get_tensor().set_names({"beam_idx"})
    model.add_parameters([beams])
    for name in layers.cache_names:
        port = model.input(name)
        readers = port.get_target_inputs()
        gathered = ops.gather(port, beams, ops.constant(0))
        for reader in readers:
            reader.replace_source_output(gathered.output(0))
    model.validate_nodes_and_infer_types()
    passes.apply_make_stateful_transformation(model, layers.cache_names)
    batch = ops.gather(ops.shape_of(model.input("input_ids"), "i64"), ops.constant([0]), ops.constant(0))
    shape = ops.concat([batch, ops.constant(np.array([layers.heads, 0, layers.width], dtype=np.int64))], axis=0)
    for node in model.get_ops():
        if node.get_type_name() == "ReadValue":
            node.set_arguments([ops.broadcast(ops.constant(np.float32(0)), shape)])
    model.validate_nodes_and_infer_types()


def _check(model: ov.Model, layers: _Layers) -> None:
    """GenAI makes the attention paged when it loads a model; what that would miss is seen here first."""
    paged = model.clone()
    passes.paged_attention_transformation(paged)
    nodes = [node for node in paged.get_ops() if node.get_type_name() == "PagedAttentionExtension"]
    sliding = [node for node in nodes if node.input_value(10).get_node().get_type_name() != "Constant"]
    if (len(nodes), len(sliding)) != (layers.count, layers.sliding):
        raise Unsupported(
            f"attention of which {len(nodes)} of {layers.count} layers are understood, "
            f"{len(sliding)} of {layers.sliding} sliding ones"
        )
