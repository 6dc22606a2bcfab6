"""How many bits a byte llama.cpp takes for the texts of quality.py: `python -m benchmarks.llama_reading [PARTS]`.

With the default model's GGUF file. Its server tells no probabilities of a prompt, but those of what it writes, before
any sampling: so it is made to write each token in turn, after all before it. Prints JSON: for each kind of text its
bits per byte.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path
from rich.console import Console
from transformers import AutoTokenizer

from benchmarks.llama_cpp import LlamaCpp
from benchmarks.quality import PARTS, per_byte, scores
from benchmarks.sides import HERE
from functions.generate.models.default_model import default_gguf
from functions.generate.models.preparing import prepare_default_checkpoint

LENGTH = 1024


class LlamaCppReader:
    """A `Reader`."""

    def __init__(self, file: Path) -> None:
        self._server = LlamaCpp(file, LENGTH)

    def bits(self, before: list[int], texts: Sequence[list[int]]) -> list[float]:
        """Of each of the texts, after `before`."""
        return [
            -sum(self._server.log_probability(before + text[:place], token) for place, token in enumerate(text))
            / math.log(2)
            for text in texts
        ]


def measure(parts: int = PARTS) -> dict[str, float]:
    console, cache = Console(stderr=True), user_cache_path("timokha")
    tokenizer = AutoTokenizer.from_pretrained(prepare_default_checkpoint(cache, console=console))
    HERE.mkdir(parents=True, exist_ok=True)
    reader = LlamaCppReader(default_gguf(HERE, console=console))
    return {kind: per_byte(found) for kind, found in scores(tokenizer, reader, parts=parts).items()}


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))  # noqa: T201 -- read by engines.py
