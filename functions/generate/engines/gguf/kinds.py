"""Decide whether a GGUF file's model can be read exactly, and explain in one line if it can't.

Unknown metadata may change what a model computes, so a file with any is refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from functions.generate.engines.gguf.header import BLOCKS, Header

ELSEWHERE: Final = "run it in llama.cpp's server and set GENERATE_ENGINE=openai"

_ATTENTION: Final = {f"attn_{name}.weight": f"self_attn.{name}_proj.weight" for name in "qkv"} | {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
}
_FEED_FORWARD: Final = {f"ffn_{name}.weight": f"mlp.{name}_proj.weight" for name in ("gate", "up", "down")}
_DENSE: Final = {**_ATTENTION, **_FEED_FORWARD, "ffn_norm.weight": "post_attention_layernorm.weight"}
_NORMED: Final = {f"attn_{name}_norm.weight": f"self_attn.{name}_norm.weight" for name in "qk"}

LAYERS: Final[Mapping[str, Mapping[str, str]]] = {
    "llama": _DENSE,
    "qwen2": {**_DENSE, **{f"attn_{name}.bias": f"self_attn.{name}_proj.bias" for name in "qkv"}},
    "qwen3": {**_DENSE, **_NORMED},
    "gemma3": {
        **_ATTENTION,
        **_FEED_FORWARD,
        **_NORMED,
        "post_attention_norm.weight": "post_attention_layernorm.weight",
        "ffn_norm.weight": "pre_feedforward_layernorm.weight",
        "post_ffw_norm.weight": "post_feedforward_layernorm.weight",
    },
}
"""By architecture, the tensors of a layer and transformers' names for them."""
EMBEDDING: Final = "token_embd.weight"
OUTSIDE: Final = {
    EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
TIED: Final = "output.weight"
"""If absent, the embedding is also the output matrix."""
FREQUENCIES: Final = "rope_freqs.weight"
"""Divisors of the rotary angles, in Llama 3.1 and later."""

BYTE_LEVEL: Final = "gpt2"
PIECES: Final = "llama"
SPLITS: Final = {
    "llama-bpe": "llama3",
    "llama3": "llama3",
    "llama-v3": "llama3",
    "falcon3": "llama3",
    "smaug-bpe": "llama3",
    "qwen2": "qwen2",
    "deepseek-r1-qwen": "qwen2",
    "tekken": "tekken",
    "smollm": "digits",
    "gpt-2": "gpt2",
}
"""By a file's name for its pre-tokenizer: the rule by which it splits a text before merging."""

_NEEDED: Final = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
)
_KNOWN: Final = {
    *_NEEDED,
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "vocab_size",
    "tensor_data_layout",
}
_KNOWN_OF: Final = {
    "gemma3": {
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "rope.freq_base_swa",
        "final_logit_softcapping",
    }
}
_HARMLESS: Final[Mapping[str, Any]] = {
    "expert_count": 0,
    "expert_used_count": 0,
    "attention.causal": True,
    "pooling_type": 0,
    "attn_logit_softcapping": 0.0,
    "use_parallel_residual": False,
}
"""Metadata without effect if it has this value."""
_SCALINGS: Final = {"none", "linear", "yarn"}


def refusal_reason(header: Header) -> str:
    """Return why the file's model can't be read, to follow its name, or "" if it can."""
    try:
        return _no_model(header) or _unknown(header)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return "has numbers that no model has: download or copy it again"


def parameter_name(header: Header, tensor: str) -> str:
    """Return transformers' name of `tensor`; `FREQUENCIES` are not a parameter there and keep their name."""
    if tensor in OUTSIDE:
        return OUTSIDE[tensor]
    if tensor == FREQUENCIES:
        return tensor
    _, layer, name = tensor.split(".", 2)
    return f"model.layers.{layer}.{LAYERS[header.architecture][name]}"


def head_size(header: Header) -> int:
    return int(
        header.value("attention.key_length") or header.value("embedding_length") // header.value("attention.head_count")
    )


def _no_model(header: Header) -> str:
    kind = header.metadata.get("general.type", "model")
    if kind == "adapter" or "adapter.type" in header.metadata:
        return f"is an adapter (LoRA), not a model: merge it into its model, or {ELSEWHERE}"
    if kind == "mmproj" or header.architecture == "clip":
        return "is only the part of a model that sees or hears: give the model's own file"
    if kind != "model":
        return f"is of the kind {kind!r}, not a model"
    if (parts := int(header.metadata.get("split.count", 0))) > 1:
        return (
            f"is one of {parts} parts: join them with `llama-gguf-split --merge FIRST_PART WHOLE.gguf`, or {ELSEWHERE}"
        )
    return ""


def _unknown(header: Header) -> str:
    if header.architecture not in LAYERS:
        known = ", ".join(LAYERS)
        return f"is of the architecture {header.architecture!r}, and as GGUF only {known} are read here: {ELSEWHERE}"
    why = _unknown_numbers(header) or _unknown_tokenizer(header) or _unknown_tensors(header)
    return why and f"{why}, which is not read here: {ELSEWHERE}"


def _unknown_numbers(header: Header) -> str:
    prefix = f"{header.architecture}."
    missing = [name for name in _NEEDED if not isinstance(header.value(name), int | float)]
    if missing:
        return f"has no single {prefix}{missing[0]}"
    known = _KNOWN | _KNOWN_OF.get(header.architecture, set())
    said = {key.removeprefix(prefix): value for key, value in header.metadata.items() if key.startswith(prefix)}
    for name, value in said.items():
        if name not in known and (name not in _HARMLESS or value != _HARMLESS[name]):
            return f"has {prefix}{name} = {str(value)[:40]}"
    if said.get("rope.scaling.type", "none") not in _SCALINGS:
        return f"has positions of the kind {said['rope.scaling.type']}"
    size = head_size(header)
    for name in ("attention.value_length", "rope.dimension_count"):
        if said.get(name, size) != size:
            return f"has {prefix}{name} = {said[name]} beside heads of {size}"
    return ""


def _unknown_tokenizer(header: Header) -> str:
    model, split = (header.metadata.get(f"tokenizer.ggml.{name}") for name in ("model", "pre"))
    if not header.metadata.get("tokenizer.ggml.tokens"):
        return "has no tokenizer"
    if model not in {BYTE_LEVEL, PIECES}:
        return f"has a tokenizer of the kind {model!r}"
    if model == BYTE_LEVEL and split not in SPLITS:
        return f"has a tokenizer that splits texts by the rule {split!r}"
    return ""


def _unknown_tensors(header: Header) -> str:
    found = {tensor.name for tensor in header.tensors}
    # One more layer than there can be suffices to find one missing.
    layers = range(min(int(header.value("block_count")), len(found) + 1))
    wanted = {*OUTSIDE, *(f"blk.{layer}.{name}" for layer in layers for name in LAYERS[header.architecture])}
    if others := sorted(found - wanted - {FREQUENCIES}):
        return f"has {others[0]}"
    if missing := sorted(wanted - found - {TIED}):
        return f"is without {missing[0]}"
    if kinds := {tensor.kind for tensor in header.tensors} - set(BLOCKS):
        return f"has weights of the type {min(kinds)}"
    return ""
