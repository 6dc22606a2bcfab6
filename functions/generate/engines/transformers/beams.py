"""The original bot's decoding: 20 beams that sample, of which it kept three answers and sent one, drawn by chance."""

from collections.abc import Sequence
from random import Random
from typing import Any

ANSWERS = 3
HOW: dict[str, Any] = {"do_sample": True, "num_beams": 20, "num_return_sequences": ANSWERS, "temperature": 1.5}
"""For transformers' `GenerationConfig`."""


def drawn(output: Any, prompt_length: int, ends: Sequence[int], seed: int) -> list[int]:
    """The tokens of one of the answers in `output`, of shape (ANSWERS, tokens), without the padding after its end."""
    answer = output[Random(seed).randrange(ANSWERS), prompt_length:].tolist()  # noqa: S311 -- a choice, no secret
    end = next((place for place, token in enumerate(answer) if token in ends), len(answer) - 1)
    return [int(token) for token in answer[: end + 1]]
