"""Describe the layers of a GGUF file's model from its header."""

from typing import Any

from functions.generate.engines.gguf.header import Header
from functions.generate.engines.gguf.kinds import EMBEDDING, TIED, head_size

_EVERY_SIXTH = 6
"""One in so many of Gemma 3's layers sees all tokens; files may omit this."""
_LARGEST_GEMMA = 62
"""Layers of Gemma 3 27B, whose attention alone is scaled by the width of the model."""


def attention_windows(header: Header) -> list[int | None]:
    """Return how many tokens each layer sees, in order; None for all."""
    layers = int(header.value("block_count"))
    if header.architecture != "gemma3":
        return [None] * layers
    pattern = header.value("attention.sliding_window_pattern", _EVERY_SIXTH)
    slides = pattern if isinstance(pattern, list) else [bool((layer + 1) % pattern) for layer in range(layers)]
    window = int(header.value("attention.sliding_window"))
    return [window if slide else None for slide in slides]


def attention_width(header: Header) -> int:
    """Return the number whose square root divides attention scores."""
    if header.architecture == "gemma3" and int(header.value("block_count")) == _LARGEST_GEMMA:
        return int(header.value("embedding_length")) // int(header.value("attention.head_count"))
    return head_size(header)


def base_config(header: Header) -> dict[str, Any]:
    """Return the part of the configuration that all architectures have, by transformers' names."""
    heads = int(header.value("attention.head_count"))
    embedding = next(tensor for tensor in header.tensors if tensor.name == EMBEDDING)
    return {
        "vocab_size": embedding.shape[0],
        "hidden_size": int(header.value("embedding_length")),
        "intermediate_size": int(header.value("feed_forward_length")),
        "num_hidden_layers": int(header.value("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(header.value("attention.head_count_kv", heads)),
        "head_dim": head_size(header),
        "max_position_embeddings": int(header.value("context_length")),
        "bos_token_id": header.metadata.get("tokenizer.ggml.bos_token_id"),
        "pad_token_id": header.metadata.get("tokenizer.ggml.padding_token_id"),
    }


def shape_problem(header: Header) -> str:
    """Return what is wrong, to follow the file's name, with the first tensor of a wrong shape, or ""."""
    shapes = _shapes(header)
    for tensor in header.tensors:
        wanted = shapes.get(tensor.name.split(".", 2)[-1] if tensor.name.startswith("blk.") else tensor.name)
        if wanted and tensor.shape != wanted:
            return f"has {tensor.name} in the shape {tensor.shape} in place of {wanted}"
    return ""


def _shapes(header: Header) -> dict[str, tuple[int, ...]]:
    """Return shapes by the names of tensors, without the prefix of a layer."""
    width, inner = (
        int(header.value("embedding_length")),
        int(header.value("feed_forward_length")),
    )
    heads, size = int(header.value("attention.head_count")), head_size(header)
    own = {
        "q": heads * size,
        **dict.fromkeys("kv", int(header.value("attention.head_count_kv", heads)) * size),
    }
    norms = ("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm", "output_norm")
    embedding = next(tensor for tensor in header.tensors if tensor.name == EMBEDDING)
    return {
        **{f"attn_{which}.weight": (out, width) for which, out in own.items()},
        **{f"attn_{which}.bias": (out,) for which, out in own.items()},
        **{f"attn_{which}_norm.weight": (size,) for which in "qk"},
        **{f"ffn_{which}.weight": (inner, width) for which in ("gate", "up")},
        **{f"{norm}.weight": (width,) for norm in norms},
        "attn_output.weight": (width, heads * size),
        "ffn_down.weight": (width, inner),
        EMBEDDING: (embedding.shape[0], width),
        TIED: (embedding.shape[0], width),
    }
