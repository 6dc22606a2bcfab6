"""What is lost of the default model: `python -m benchmarks.quality [auto|exact|fast] [8|4] [talk|all] [FILE…]`.

Against float32, on dialogues that nothing was trained on (dialogues.py) and those in further FILEs:

- bits per byte: how much more the model takes for a text, as a ratio. What a narrow head has dropped is scored in the
  cheapest spelling that it has kept (spelling.py).
- recall: how often the right reply among ten gains most by its question, and for how many questions that changed.
- greedy agreement (agreement.py), which has no target: other words may be as good.

Prints JSON. `python -m benchmarks.precisions` has other ways to compute beside each other.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from rich.console import Console

from benchmarks import agreement
from benchmarks.dialogues import halves, kinds, questions
from benchmarks.reading import Prepared, Reader, Reference
from functions.generate.engines.openvino.model_spec import plugin_properties
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.models.preparing import prepare_default_checkpoint, prepare_model
from functions.generate.settings import Arithmetic, Vocabulary

BYTES = 600
"""Of text that is read, and as many that are scored, at a time."""
PARTS, QUESTIONS = 8, 25
"""Of each kind of text, at most."""

Scores = Mapping[str, list[tuple[float, int]]]
"""Bits and bytes of each part, by the kind of text."""


def measure(arithmetic: Arithmetic, bits: int, vocabulary: Vocabulary, *more: Path) -> dict[str, Any]:
    checkpoint, cache = reference(), user_cache_path("timokha")
    directory = prepare_model(None, cache, bits=bits, vocabulary=vocabulary, console=Console(stderr=True))
    tokenizer = checkpoint.tokenizer
    ours = Prepared(directory, plugin_properties(arithmetic), tokenizer.get_vocab())
    return {
        "arithmetic": arithmetic.value,
        "bits": bits,
        **compared(tokenizer, Reference(checkpoint.model), ours, *more),
        **agreement.measure(checkpoint, directory, arithmetic),
    }


def reference() -> Any:
    directory = prepare_default_checkpoint(user_cache_path("timokha"), console=Console(stderr=True))
    return load_checkpoint(str(directory), dtype=torch.float32)


def compared(tokenizer: Any, reference: Reader, ours: Reader, *more: Path) -> dict[str, Any]:
    """All figures but agreement."""
    before, after = (scores(tokenizer, reader, *more) for reader in (reference, ours))
    right, chosen = (found(tokenizer, reader, *more) for reader in (reference, ours))
    return {
        "bits_per_byte": {kind: round(per_byte(parts), 4) for kind, parts in before.items()},
        "bits_per_byte_ratio": {
            kind: round(per_byte(after[kind]) / per_byte(parts), 5) for kind, parts in before.items()
        },
        **recalls(right, chosen),
    }


def recalls(reference: list[int], ours: list[int]) -> dict[str, float]:
    """From the numbers of the replies that were chosen: 0 is the right one."""
    number = len(reference)
    return {
        "recall": ours.count(0) / number,
        "recall_difference": abs(ours.count(0) - reference.count(0)) / number,
        "recall_changed": sum((a == 0) != (b == 0) for a, b in zip(reference, ours, strict=True)) / number,
        "recall_questions": number,
    }


def scores(tokenizer: Any, reader: Reader, *more: Path, parts: int = PARTS) -> Scores:
    return {
        kind: [
            (reader.bits(_begun(tokenizer, before), [_ids(tokenizer, text)])[0], len(text.encode()))
            for before, text in halves(dialogues, BYTES)[:parts]
        ]
        for kind, dialogues in kinds(*more).items()
    }


def per_byte(parts: list[tuple[float, int]]) -> float:
    return sum(bits for bits, _ in parts) / sum(size for _, size in parts)


def found(tokenizer: Any, reader: Reader, *more: Path) -> list[int]:
    """For each question the number of the reply that the question makes likelier than any other."""
    asked = [question for dialogues in kinds(*more).values() for question in questions(dialogues, QUESTIONS)]
    return [_likeliest(tokenizer, reader, question.said, question.replies) for question in asked]


def _likeliest(tokenizer: Any, reader: Reader, said: str, replies: tuple[str, ...]) -> int:
    texts = [f"{reply}\n" for reply in replies]
    ids = [_ids(tokenizer, text) for text in texts]
    after, alone = (reader.bits(_begun(tokenizer, before), ids) for before in (f"{said}\n", ""))
    saved = [without - taken for taken, without in zip(after, alone, strict=True)]
    return saved.index(max(saved))


def _begun(tokenizer: Any, text: str) -> list[int]:
    return [tokenizer.bos_token_id, *_ids(tokenizer, text)]


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


if __name__ == "__main__":
    how, width, words, *files = [*sys.argv[1:], *["auto", "8", "talk"][len(sys.argv) - 1 :]]
    print(json.dumps(measure(Arithmetic(how), int(width), Vocabulary(words), *map(Path, files))))  # noqa: T201 -- for engines.py
