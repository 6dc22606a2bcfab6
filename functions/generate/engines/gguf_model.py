"""A model and its tokenizer from a GGUF file that `gguf_kinds` lets through, one tensor at a time.

transformers' own reader forgets how positions are scaled, all ends of a turn but one and the rule by which some
tokenizers split, passes over tensors that it does not know, and takes three times the memory.
"""

from collections.abc import Mapping
from math import pi
from pathlib import Path
from typing import Any

import gguf as vendor
import numpy as np
import torch
from tokenizers import normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)
from transformers.integrations.gguf import convert_gguf_tokenizer, get_gguf_tokenizer

from functions.generate.gguf import Header, NoGGUF, Tensor, read
from functions.generate.gguf_kinds import (
    BYTE_LEVEL,
    FREQUENCIES,
    LAYERS,
    OUTSIDE,
    SPLITS,
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
_ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")
_ENDS_BY_NAME = {
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
}
"""Control tokens that end a turn by their name, whatever the file calls its end."""
_WITH_BEGINNING = {"llama3"}
"""Splits whose tokenizers begin a text with their token unless the file says otherwise."""
_WHOLE_WORDS = {"llama3", "tekken"}
"""Splits whose tokenizers take a word that is a token as it is, whatever the merges would give."""
_EVERY_SIXTH = 6
"""Of Gemma 3's layers one in so many sees everything: a file need not say it."""
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
_LARGEST_GEMMA = 62
"""Layers of Gemma 3 27B, whose attention alone is scaled by the width of the model."""


def load(path: Path) -> tuple[Any, Any]:
    """The model in float32, and the tokenizer. Raises NoGGUF, after the file's name, or OSError."""
    header = read(path)
    if why := refusal(header):
        raise NoGGUF(why)
    source = vendor.GGUFReader(path)
    frequencies = {tensor.name: tensor.data for tensor in source.tensors}.get(FREQUENCIES)
    model = AutoModelForCausalLM.from_config(_config(header, frequencies), dtype=torch.float32)
    _fill(model, header, source)
    tokenizer = _tokenizer(path, header)
    model.generation_config.eos_token_id = _ends(header, tokenizer)
    return model.eval(), tokenizer


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


def _tokenizer(path: Path, header: Header) -> Any:
    architecture, tokens, config = get_gguf_tokenizer(str(path))
    raw, _ = convert_gguf_tokenizer(architecture, tokens)
    split = SPLITS[header.metadata["tokenizer.ggml.pre"]] if tokens["tokenizer_type"] == BYTE_LEVEL else None
    if split:
        _split(raw, split)
    elif header.architecture == "llama":
        # In place of a mark before each text, which one that begins with a space would not get.
        first = [normalizers.Prepend("▁")] if tokens.get("add_prefix_space", True) else []
        raw.normalizer = normalizers.Sequence([*first, normalizers.Replace(" ", "▁")])
        raw.pre_tokenizer = None
    begins = config.pop("add_bos_token", split in _WITH_BEGINNING)
    config.pop("add_eos_token", None)
    raw.post_processor = _beginning(raw, config.get("bos_token") if begins else None)
    return PreTrainedTokenizerFast(tokenizer_object=raw, clean_up_tokenization_spaces=False, **config)


def _split(raw: Any, split: str) -> None:
    """Have `raw` split texts by a rule of `SPLITS`."""
    if split == "digits":
        digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    if split == "qwen2":
        raw.normalizer = normalizers.NFC()
    if split in _WHOLE_WORDS:
        raw.model.ignore_merges = True


def _beginning(raw: Any, bos: str | None) -> Any:
    """Puts the token `bos`, if there is one, before each text."""
    one = f"{bos} $A" if bos else "$A"
    special = [(bos, raw.token_to_id(bos))] if bos else []
    return processors.TemplateProcessing(single=one, pair=f"{one} $B", special_tokens=special)


def _ends(header: Header, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: those that the file names, and those that are known for it."""
    said = (header.metadata.get(f"tokenizer.ggml.{name}") for name in _ENDS)
    named = {int(token) for token in said if token is not None}
    special = set(tokenizer.all_special_tokens) | {
        token.content for token in tokenizer.added_tokens_decoder.values() if token.special
    }
    return sorted(named | {tokenizer.convert_tokens_to_ids(token) for token in special & _ENDS_BY_NAME})
