"""Tiny models written as GGUF files, as llama.cpp's converter does it."""

import json
import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.generate.tiny_models import Tiny, make

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
CHANGES: dict[str, dict[str, Any]] = {
    "llama": {"rope_parameters": LLAMA3},
    "gemma3": {"num_hidden_layers": 7, "layer_types": None},  # as a file's reader has to guess them
}
ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma3": "gemma3"}
SPLITS = {"llama": "llama-bpe", "qwen2": "qwen2", "qwen3": "qwen2"}
Q8 = gguf.GGMLQuantizationType.Q8_0


def tiny(name: str, **changes: Any) -> Tiny:
    """The tiny model that `write` writes."""
    return make(name, **{**CHANGES.get(name, {}), **changes})


def write(
    name: str,
    path: Path,
    *,
    model: Tiny | None = None,
    kind: gguf.GGMLQuantizationType | None = None,
    without: str = "",
    tensors: dict[str, Any] | None = None,
    **metadata: Any,
) -> Tiny:
    """Write `model`, else `tiny(name)`, and return it; `kind`: its matrices', `metadata`: its architecture's."""
    made = model or tiny(name)
    architecture = ARCHITECTURES[name]
    out = gguf.GGUFWriter(path, architecture)
    _numbers(out, made.model.config, architecture, metadata)
    _tokenizer(out, name, made.tokenizer)
    found = {**_tensors(made.model, architecture), **(tensors or {})}
    for tensor, values in found.items():
        if tensor == without:
            continue
        if kind and values.ndim > 1:
            out.add_tensor(tensor, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            out.add_tensor(tensor, values)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return made


def _numbers(out: Any, config: Any, architecture: str, more: dict[str, Any]) -> None:
    positions = config.rope_parameters
    said = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.freq_base": float(positions.get("full_attention", positions)["rope_theta"]),
    }
    if architecture == "gemma3":
        said["attention.sliding_window"] = config.sliding_window
    if architecture != "qwen2":
        said["attention.key_length"] = said["attention.value_length"] = config.head_dim
    for key, value in {**said, **more}.items():
        full = key if key.startswith("general.") or ("." in key and key.split(".")[0] in {"split", "adapter"}) else None
        add = {str: out.add_string, float: out.add_float32, bool: out.add_bool, list: out.add_array}.get(
            type(value), out.add_uint32
        )
        add(full or f"{architecture}.{key}", value)


def _tokenizer(out: Any, name: str, tokenizer: Any) -> None:
    raw = json.loads(tokenizer.backend_tokenizer.to_str())
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    added = {token["content"]: 3 if token["special"] else 4 for token in raw["added_tokens"]}
    kinds = [added.get(token, 6 if token.startswith("<0x") else 1) for token in tokens]
    out.add_tokenizer_model("gpt2" if name in SPLITS else "llama")
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    if name in SPLITS:
        out.add_tokenizer_pre(SPLITS[name])
        out.add_token_merges([" ".join(merge) for merge in raw["model"]["merges"]])
    else:
        out.add_token_scores([-float(number) for number in range(len(tokens))])
    for what in ("bos", "eos", "unk", "pad"):
        if (token := getattr(tokenizer, f"{what}_token_id")) is not None:
            getattr(out, f"add_{what}_token_id")(token)
    out.add_add_bos_token(bool(tokenizer("")["input_ids"]))
    if tokenizer.chat_template:
        out.add_chat_template(tokenizer.chat_template)


def _tensors(model: Any, architecture: str) -> dict[str, Any]:
    config = model.config
    number = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    names = gguf.get_tensor_name_map(number, config.num_hidden_layers)
    found = {}
    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy().astype(np.float32)
        if architecture == "gemma3" and name.endswith("norm.weight"):
            values = values + 1
        if architecture == "llama" and "q_proj" in name:
            values = _neighbours(values, config.num_attention_heads)
        if architecture == "llama" and "k_proj" in name:
            values = _neighbours(values, config.num_key_value_heads)
        found[names.get_name(name, (".weight", ".bias"))] = values
    if architecture == "llama" and config.rope_parameters["rope_type"] == "llama3":
        found["rope_freqs.weight"] = _divisors(config.head_dim, config.rope_parameters)
    return found


def _neighbours(values: Any, heads: int) -> Any:
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))


def _divisors(size: int, positions: dict[str, Any]) -> Any:
    """By Llama 3.1's rule: waves longer than its first context are stretched, short ones stay."""
    factor, context = positions["factor"], positions["original_max_position_embeddings"]
    found = []
    for place in range(0, size, 2):
        wave = 2 * math.pi * positions["rope_theta"] ** (place / size)
        if wave < context / positions["high_freq_factor"]:
            found.append(1.0)
        elif wave > context / positions["low_freq_factor"]:
            found.append(factor)
        else:
            smooth = (context / wave - 1) / (positions["high_freq_factor"] - 1)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(found, dtype=np.float32)
