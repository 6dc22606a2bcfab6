"""A model and its tokenizer from a GGUF file that `gguf_kinds` lets through, one tensor at a time.

transformers' own reader forgets how positions are scaled, all ends of a turn but one and the rule by which some
tokenizers split, passes over tensors that it does not know, takes three times the memory, and minutes for merges.
"""

from collections.abc import Mapping
from math import pi
from pathlib import Path
from typing import Any

import gguf as vendor
import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from functions.generate.engines.gguf_tokenizer import LISTS, GGUFTokenizer, built
from functions.generate.gguf import Header, NoGGUF, Tensor, read
from functions.generate.gguf_kinds import (
    FREQUENCIES,
    LAYERS,
    OUTSIDE,
    TIED,
    head_size,
    of,
    refusal,
)

_CONFIGS: Mapping[str, type[PreTrainedConfig]] = {
    "llama": LlamaConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "gemma3": Gemma3TextConfig,
}
_EVERY_SIXTH = 6
"""Of Gemma 3's layers one in so many sees everything: a file need not say it."""
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
_LARGEST_GEMMA = 62
"""Layers of Gemma 3 27B, whose attention alone is scaled by the width of the model."""


def load(path: Path) -> tuple[Any, Any]:
    """The model in float32, and the tokenizer. Raises NoGGUF, after the file's name, or OSError."""
    header = read(path, whole=LISTS)
    if why := refusal(header):
        raise NoGGUF(why)
    source = vendor.GGUFReader(path)
    frequencies = {tensor.name: tensor.data for tensor in source.tensors}.get(FREQUENCIES)
    model = AutoModelForCausalLM.from_config(_config(header, frequencies), dtype=torch.float32)
    _fill(model, header, source)
    tokenizer = built(header)
    model.generation_config.eos_token_id = list(tokenizer.ends)
    return model.eval(), _wrapped(tokenizer)


def _config(header: Header, frequencies: Any) -> PreTrainedConfig:
    heads = int(of(header, "attention.head_count"))
    embedding = next(tensor for tensor in header.tensors if tensor.name == "token_embd.weight")
    same = {
        "vocab_size": embedding.shape[0],
        "hidden_size": int(of(header, "embedding_length")),
        "intermediate_size": int(of(header, "feed_forward_length")),
        "num_hidden_layers": int(of(header, "block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(of(header, "attention.head_count_kv", heads)),
        "head_dim": head_size(header),
        "rms_norm_eps": float(of(header, "attention.layer_norm_rms_epsilon")),
        "max_position_embeddings": int(of(header, "context_length")),
        "tie_word_embeddings": all(tensor.name != TIED for tensor in header.tensors),
        "bos_token_id": header.metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": header.metadata.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": header.metadata.get("tokenizer.ggml.padding_token_id"),
        "rope_parameters": _positions(header, frequencies),
    }
    own = _gemma(header, same) if header.architecture == "gemma3" else {}
    return _CONFIGS[header.architecture](**{**same, **own})


def _gemma(header: Header, same: Mapping[str, Any]) -> dict[str, Any]:
    layers, size = same["num_hidden_layers"], same["head_dim"]
    pattern = of(header, "attention.sliding_window_pattern", _EVERY_SIXTH)
    slides = pattern if isinstance(pattern, list) else [bool((layer + 1) % pattern) for layer in range(layers)]
    near = {"rope_type": "default", "rope_theta": float(of(header, "rope.freq_base_swa", 10000.0))}
    return {
        "sliding_window": int(of(header, "attention.sliding_window")),
        "layer_types": ["sliding_attention" if slide else "full_attention" for slide in slides],
        "query_pre_attn_scalar": same["hidden_size"] // same["num_attention_heads"]
        if layers == _LARGEST_GEMMA
        else size,
        "final_logit_softcapping": of(header, "final_logit_softcapping") or None,
        "rope_parameters": {"full_attention": same["rope_parameters"], "sliding_attention": near},
    }


def _positions(header: Header, frequencies: Any) -> dict[str, Any]:
    """How angles come of positions."""
    base = float(of(header, "rope.freq_base", 10000.0))
    kind = of(header, "rope.scaling.type", "none")
    if frequencies is not None:
        return _llama3(base, np.asarray(frequencies, dtype=np.float64))
    if kind == "none":
        return {"rope_type": "default", "rope_theta": base}
    scaled = {"rope_type": kind, "rope_theta": base, "factor": float(of(header, "rope.scaling.factor", 1.0))}
    if kind == "yarn":
        context = int(of(header, "context_length"))
        scaled["original_max_position_embeddings"] = int(of(header, "rope.scaling.original_context_length", context))
    return scaled


def _llama3(base: float, divisors: Any) -> dict[str, Any]:
    """The file has the outcome for each angle; transformers wants the numbers that it came of. Raises NoGGUF."""
    low, high, context = _LLAMA3.values()
    factor = float(divisors.max())
    waves = 2 * pi * base ** (np.arange(len(divisors)) / len(divisors))
    smooth = np.clip((context / waves - low) / (high - low), 0, 1)
    if not np.allclose(1 / ((1 - smooth) / factor + smooth), divisors, rtol=1e-3):
        raise NoGGUF(f"scales its positions ({FREQUENCIES}) in a way of its own, which is not read here")
    return {"rope_type": "llama3", "rope_theta": base, "factor": factor, **_LLAMA3}


def _fill(model: Any, header: Header, source: Any) -> None:
    """Put the file's weights in place of the model's. Raises NoGGUF where the shapes differ."""
    parameters = dict(model.named_parameters())
    infos = {tensor.name: tensor for tensor in header.tensors}
    with torch.no_grad():
        for tensor in source.tensors:
            if tensor.name != FREQUENCIES:
                values = vendor.dequantize(tensor.data, tensor.tensor_type)
                _copy(parameters[_name(header, tensor.name)], _as_here(header, infos[tensor.name], values), tensor.name)


def _name(header: Header, tensor: str) -> str:
    if tensor in OUTSIDE:
        return OUTSIDE[tensor]
    _, layer, name = tensor.split(".", 2)
    return f"model.layers.{layer}.{LAYERS[header.architecture][name]}"


def _as_here(header: Header, tensor: Tensor, values: Any) -> Any:
    values = values.reshape(tensor.shape)
    if header.architecture == "gemma3" and tensor.name.endswith("norm.weight"):
        return values - np.float32(1)  # transformers adds it
    if header.architecture == "llama" and ".attn_q." in tensor.name:
        return _halves(values, int(of(header, "attention.head_count")))
    if header.architecture == "llama" and ".attn_k." in tensor.name:
        return _halves(values, int(of(header, "attention.head_count_kv", of(header, "attention.head_count"))))
    return values


def _halves(values: Any, heads: int) -> Any:
    """llama.cpp turns neighbours, transformers the one half of a head against the other."""
    pairs = values.reshape(heads, -1, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)


def _copy(parameter: Any, values: Any, name: str) -> None:
    if tuple(parameter.shape) != tuple(values.shape):
        raise NoGGUF(f"has {name} in the shape {values.shape} in place of {tuple(parameter.shape)}")
    parameter.copy_(torch.from_numpy(np.require(values, requirements=["C", "W"])))


def _wrapped(tokenizer: GGUFTokenizer) -> Any:
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.raw, clean_up_tokenization_spaces=False, **tokenizer.special_tokens
    )
    made.chat_template = tokenizer.chat_template
    return made
