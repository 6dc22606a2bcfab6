"""What each layer of a GGUF file's model looks at, as its head says it."""

from functions.generate.gguf import Header
from functions.generate.gguf_kinds import head_size, of

_EVERY_SIXTH = 6
"""Of Gemma 3's layers one in so many sees everything: a file need not say it."""
_LARGEST_GEMMA = 62
"""Layers of Gemma 3 27B, whose attention alone is scaled by the width of the model."""


def windows(header: Header) -> list[int | None]:
    """How many tokens each layer sees, in their order; None: all of them."""
    layers = int(of(header, "block_count"))
    if header.architecture != "gemma3":
        return [None] * layers
    pattern = of(header, "attention.sliding_window_pattern", _EVERY_SIXTH)
    slides = pattern if isinstance(pattern, list) else [bool((layer + 1) % pattern) for layer in range(layers)]
    window = int(of(header, "attention.sliding_window"))
    return [window if slide else None for slide in slides]


def attention_width(header: Header) -> int:
    """The number by whose root attention scores are divided."""
    if header.architecture == "gemma3" and int(of(header, "block_count")) == _LARGEST_GEMMA:
        return int(of(header, "embedding_length")) // int(of(header, "attention.head_count"))
    return head_size(header)
