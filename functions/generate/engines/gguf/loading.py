"""Load a model and its tokenizer from a GGUF file that `gguf.kinds` accepts, one tensor at a time.

transformers' own reader loses the scaling of positions, all ends of a turn but one and the split rules of some
tokenizers; it ignores unknown tensors, and takes three times the memory, and minutes for merges.
"""

from collections.abc import Mapping
from math import pi
from pathlib import Path
from typing import Any

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

from functions.generate.engines.gguf.adapters import read_weights
from functions.generate.engines.gguf.header import Header, UnreadableGGUF, read_header
from functions.generate.engines.gguf.kinds import (
    FREQUENCIES,
    TIED,
    parameter_name,
    refusal_reason,
)
from functions.generate.engines.gguf.layers import attention_width, attention_windows, base_config
from functions.generate.engines.gguf.tokenizer import LISTS, GGUFTokenizer, build_tokenizer
from functions.generate.engines.gguf.weights import Floats

_CONFIGS: Mapping[str, type[PreTrainedConfig]] = {
    "llama": LlamaConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "gemma3": Gemma3TextConfig,
}
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


def load(path: Path, adapter: Path | None = None) -> tuple[Any, Any]:
    """Return the model in float32, merged with the adapter in the directory `adapter`, and the tokenizer.

    Raises UnreadableGGUF, after the file's name, BadAdapter, after the adapter's, or OSError.
    """
    header = read_header(path, whole=LISTS)
    if why := refusal_reason(header):
        raise UnreadableGGUF(why)
    weights = read_weights(path, header, adapter)
    model = AutoModelForCausalLM.from_config(_config(header, weights.get(FREQUENCIES)), dtype=torch.float32)
    _fill(model, header, weights)
    tokenizer = build_tokenizer(header)
    model.generation_config.eos_token_id = list(tokenizer.ends)
    return model.eval(), _wrapped(tokenizer)


def _config(header: Header, frequencies: Any) -> PreTrainedConfig:
    same = {
        **base_config(header),
        "rms_norm_eps": float(header.value("attention.layer_norm_rms_epsilon")),
        "tie_word_embeddings": all(tensor.name != TIED for tensor in header.tensors),
        "eos_token_id": header.metadata.get("tokenizer.ggml.eos_token_id"),
        "rope_parameters": _positions(header, frequencies),
    }
    own = _gemma(header, same) if header.architecture == "gemma3" else {}
    return _CONFIGS[header.architecture](**{**same, **own})


def _gemma(header: Header, same: Mapping[str, Any]) -> dict[str, Any]:
    near = {"rope_type": "default", "rope_theta": float(header.value("rope.freq_base_swa", 10000.0))}
    return {
        "sliding_window": int(header.value("attention.sliding_window")),
        "layer_types": ["sliding_attention" if window else "full_attention" for window in attention_windows(header)],
        "query_pre_attn_scalar": attention_width(header),
        "final_logit_softcapping": header.value("final_logit_softcapping") or None,
        "rope_parameters": {"full_attention": same["rope_parameters"], "sliding_attention": near},
    }


def _positions(header: Header, frequencies: Any) -> dict[str, Any]:
    """Return transformers' parameters of rotary positions."""
    base = float(header.value("rope.freq_base", 10000.0))
    kind = header.value("rope.scaling.type", "none")
    if frequencies is not None:
        return _llama3(base, np.asarray(frequencies, dtype=np.float64))
    if kind == "none":
        return {"rope_type": "default", "rope_theta": base}
    scaled = {
        "rope_type": kind,
        "rope_theta": base,
        "factor": float(header.value("rope.scaling.factor", 1.0)),
    }
    if kind == "yarn":
        context = int(header.value("context_length"))
        scaled["original_max_position_embeddings"] = int(header.value("rope.scaling.original_context_length", context))
    return scaled


def _llama3(base: float, divisors: Any) -> dict[str, Any]:
    """Recover the parameters that transformers needs from the file's divisors. Raises UnreadableGGUF."""
    low, high, context = _LLAMA3.values()
    factor = float(divisors.max())
    waves = 2 * pi * base ** (np.arange(len(divisors)) / len(divisors))
    smooth = np.clip((context / waves - low) / (high - low), 0, 1)
    if not np.allclose(1 / ((1 - smooth) / factor + smooth), divisors, rtol=1e-3):
        raise UnreadableGGUF(f"scales its positions ({FREQUENCIES}) in a way of its own, which is not read here")
    return {"rope_type": "llama3", "rope_theta": base, "factor": factor, **_LLAMA3}


def _fill(model: Any, header: Header, weights: Mapping[str, Floats]) -> None:
    """Replace the model's weights with the file's."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in weights:
            if name != FREQUENCIES:
                values = np.require(_as_here(header, name, weights[name]), requirements=["C", "W"])
                parameters[parameter_name(header, name)].copy_(torch.from_numpy(values))


def _as_here(header: Header, name: str, values: Any) -> Any:
    if header.architecture == "gemma3" and name.endswith("norm.weight"):
        return values - np.float32(1)  # transformers adds it
    return values


def _wrapped(tokenizer: GGUFTokenizer) -> Any:
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.raw, clean_up_tokenization_spaces=False, **tokenizer.special_tokens
    )
    made.chat_template = tokenizer.chat_template
    return made
