"""Which precisions keep the default model's quality: `python -m benchmarks.precisions [FILE…]`, for minutes.

Weights in 8 and 4 bits × activations in float32, bfloat16 and 8 bits (groups of 32, 64 and 128) × a KV cache in
float32, bfloat16 and 8 bits, all with the whole vocabulary. Prints a line of JSON for each.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from rich.console import Console

from benchmarks.quality import found, per_byte, recalls, reference, scores
from benchmarks.reading import Prepared, Reference
from functions.generate.models.preparing import prepare_model
from functions.generate.settings import Vocabulary

WEIGHTS = (8, 4)
_GROUPS = {f"int8/{size}": ("f32", str(size)) for size in (32, 64, 128)}
ACTIVATIONS = {"f32": ("f32", "0"), "bf16": ("bf16", "0"), **_GROUPS}
"""Of what is computed, and the group in which it is rounded to 8 bits."""
CACHES = ("f32", "bf16", "u8")


def main(*more: Path) -> None:
    checkpoint, cache, console = reference(), user_cache_path("timokha"), Console(stderr=True)
    tokenizer, exact = checkpoint.tokenizer, Reference(checkpoint.model)
    before, right = scores(tokenizer, exact, *more), found(tokenizer, exact, *more)
    for bits, (name, (precision, group)), kept in itertools.product(WEIGHTS, ACTIVATIONS.items(), CACHES):
        directory = prepare_model(None, cache, bits=bits, vocabulary=Vocabulary.ALL, console=console)
        how = {
            "INFERENCE_PRECISION_HINT": precision,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
            "KV_CACHE_PRECISION": kept,
        }
        ours = Prepared(directory, how, tokenizer.get_vocab())
        after = scores(tokenizer, ours, *more)
        ratios = {kind: round(per_byte(after[kind]) / per_byte(parts), 4) for kind, parts in before.items()}
        line: dict[str, Any] = {"weights": bits, "activations": name, "kv_cache": kept, **ratios}
        print(json.dumps(line | recalls(right, found(tokenizer, ours, *more))), flush=True)  # noqa: T201 -- its result


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
