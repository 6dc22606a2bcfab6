"""Run the layers of a Gemma 3 model with an adapter by `fused.py`, on a processor."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from peft.tuners.lora import Linear as Adapted
from torch import Tensor
from torch.nn import Identity, Module
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.gemma3.modeling_gemma3 import Gemma3DecoderLayer

from training.fit.fused import attend, attention_blocks, gate, normalise, normalise_and_rotate, project

_ADAPTER = "default"
_wanted: ContextVar[Tensor | None] = ContextVar("wanted", default=None)


@contextmanager
def fused_layers(model: Module) -> Iterator[None]:
    """Run the layers of `model` fused inside the context, if it has such layers; the others are left as they are."""
    layers = [module for module in model.modules() if isinstance(module, Gemma3DecoderLayer) and _fits(module)]
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def wanted_tokens(places: Tensor) -> Iterator[None]:
    """Let the last fused layer compute its output for these tokens only inside the context; for others it is 0.

    Others are not read there, as the keys and values of a next layer would be.
    """
    token = _wanted.set(places)
    try:
        yield
    finally:
        _wanted.reset(token)


def are_fused(model: Module) -> bool:
    """Return whether all layers of `model` run fused."""
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    return bool(layers) and all("forward" in vars(layer) for layer in layers)


def _fits(layer: Any) -> bool:
    """Return whether the layer computes what `fused.py` does."""
    attention, config = layer.self_attn, layer.self_attn.config
    return (
        all(_is_plain(module) for module in _projections(layer))
        and config.num_key_value_heads == 1
        and config.hidden_activation == "gelu_pytorch_tanh"
        and attention.is_causal
        and not config.attention_dropout
        and config.attn_logit_softcapping is None
        and not torch.cuda.is_available()
    )


def _projections(layer: Any) -> list[Any]:
    attention, mlp = layer.self_attn, layer.mlp
    return [
        *(attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj),
        *(mlp.gate_proj, mlp.up_proj, mlp.down_proj),
    ]


def _is_plain(module: Any) -> bool:
    return (
        isinstance(module, Adapted)
        and list(module.active_adapters) == [_ADAPTER]
        and isinstance(module.lora_dropout[_ADAPTER], Identity)
        and not module.lora_variant
        and module.base_layer.bias is None
    )


def _forward(layer: Any, hidden: Tensor, position_embeddings: Any = None, position_ids: Any = None, **_: Any) -> Any:
    with torch.autocast("cpu", enabled=False):
        x = hidden[0]
        attended = _attention(layer.self_attn, _norm(layer.input_layernorm, x), position_embeddings, position_ids)
        places = _wanted.get() if _is_last(layer) else None
        if places is None:
            return _after_attention(layer, x, attended)[None]
        output = _after_attention(layer, x[places], attended[places])
        return torch.zeros_like(x).index_copy(0, places, output)[None]


def _is_last(layer: Any) -> bool:
    attention = layer.self_attn
    return bool(attention.layer_idx == attention.config.num_hidden_layers - 1)


def _after_attention(layer: Any, x: Tensor, attended: Tensor) -> Tensor:
    x = x + _norm(layer.post_attention_layernorm, _project(attended, layer.self_attn.o_proj)[0])
    changed = _mlp(layer.mlp, _norm(layer.pre_feedforward_layernorm, x))
    result: Tensor = x + _norm(layer.post_feedforward_layernorm, changed)
    return result


def _attention(attention: Any, x: Tensor, positions: tuple[Tensor, Tensor], position_ids: Tensor) -> Any:
    query, key, value = _project(x, attention.q_proj, attention.k_proj, attention.v_proj)
    cos, sin = (wave[0, :, None, : attention.head_dim // 2].float() for wave in positions)
    query, key = query.view(len(x), -1, attention.head_dim), key.view(len(x), 1, -1)
    query = normalise_and_rotate(query, _gain(attention.q_norm) * attention.scaling, attention.q_norm.eps, cos, sin)
    key = normalise_and_rotate(key, _gain(attention.k_norm), attention.k_norm.eps, cos, sin)
    window = attention.sliding_window or len(x)
    blocks = attention_blocks(_lengths(position_ids), window)
    return attend(query, key[:, 0], value, blocks, window).flatten(1)


def _mlp(mlp: Any, x: Tensor) -> Any:
    return _project(gate(*_project(x, mlp.gate_proj, mlp.up_proj)), mlp.down_proj)[0]


def _project(x: Tensor, *modules: Any) -> Any:
    matrices = [
        matrix
        for module in modules
        for matrix in (
            module.base_layer.weight,
            module.lora_A[_ADAPTER].weight,
            module.lora_B[_ADAPTER].weight,
        )
    ]
    return project(x, modules[0].scaling[_ADAPTER], *matrices)


def _norm(norm: Any, x: Tensor) -> Any:
    return normalise(x, _gain(norm), norm.eps)


def _gain(norm: Any) -> Any:
    return 1 + norm.weight.detach().float()


def _lengths(position_ids: Tensor) -> list[int]:
    """Return the lengths of the dialogues, whose positions begin at 0."""
    begins = [*(position_ids[0] == 0).nonzero().flatten().tolist(), position_ids.shape[1]]
    return [end - begin for begin, end in pairwise(begins)]
