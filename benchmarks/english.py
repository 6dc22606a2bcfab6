"""Which words English talk needs: writes functions/generate/models/english.txt anew, in half an hour on two cores.

`python -m benchmarks.english`. The default model writes chats about many subjects with its whole vocabulary, and for
each place in them says how likely every token is there. The sums rank tokens far better than counts of so short a text
(100,000 tokens have 6,000 different ones), and no list of anybody else's is needed. None of the texts that quality is
measured on takes part.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from rich.console import Console
from tokenizers import Tokenizer

from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.model_spec import FAST
from functions.generate.engines.openvino.protocol import Job, ModelSpec
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.models import vocabulary
from functions.generate.models.preparing import prepare_default_checkpoint, prepare_model
from functions.generate.settings import Vocabulary

WORDS = 80_000
NEW, SLOTS, TOGETHER = 90, 64, 16
LONGEST = 40
"""Tokens of a prompt."""
BEGINNINGS = (
    "A chat between two friends about {}.\nA:",
    "Anna: Hey, can we talk about {}?\nBen:",
    "[12:30] Kate: what do you think about {}\n[12:31] Tom:",
    "User: Tell me about {}.\nBot:",
    "Two colleagues message each other about {}.\n- ",
    "SMS about {}:\n",
)
SUBJECTS = Path(__file__).with_name("subjects.txt")

Chat = tuple[list[int], list[int]]
"""The tokens of its beginning, and those that the model wrote."""


def main() -> None:
    cache, console = user_cache_path("timokha"), Console(stderr=True)
    directory = prepare_model(None, cache, bits=8, vocabulary=Vocabulary.ALL, console=console)
    tokenizer: Any = Tokenizer.from_file(str(directory / "tokenizer.json"))
    chats = written(directory, tokenizer)
    likely = likelihoods(
        load_checkpoint(str(prepare_default_checkpoint(cache, console=console)), dtype=torch.bfloat16).model, chats
    )
    vocabulary.ENGLISH.write_text("\n".join(words(tokenizer, likely)) + "\n", encoding="utf-8")


def written(directory: Path, tokenizer: Any) -> list[Chat]:
    subjects = SUBJECTS.read_text(encoding="utf-8").split()
    begun = [tokenizer.encode(form.format(about)).ids for about, form in product(subjects, BEGINNINGS)]
    end = json.loads((directory / "config.json").read_text(encoding="utf-8"))["eos_token_id"]
    batch = Batch(ModelSpec(str(directory), SLOTS, LONGEST, LONGEST + NEW, FAST))
    batch.wait()
    try:
        how: dict[str, Any] = {"temperature": 1.0, "top_k": 200, "top_p": 0.98}
        jobs = [Job(number, ids, NEW, frozenset({end}), seed=number, **how) for number, ids in enumerate(begun, 1)]
        futures = [batch.submit(job) for job in jobs]
        return [(ids, future.result().tokens) for ids, future in zip(begun, futures, strict=True)]
    finally:
        batch.close()


@torch.inference_mode()
def likelihoods(model: Any, chats: list[Chat]) -> np.ndarray[Any, Any]:
    """The sum of each token's probability over all places that the model wrote at."""
    total = torch.zeros(model.config.vocab_size, dtype=torch.float64)
    for first in range(0, len(chats), TOGETHER):
        for hidden in _places(model, chats[first : first + TOGETHER]).split(256):
            total += model.lm_head(hidden).float().softmax(-1).sum(0).double()
    return total.numpy()


def _places(model: Any, chats: list[Chat]) -> Any:
    longest = max(len(begun) + len(rest) for begun, rest in chats)
    rows = [[*begun, *rest, *[0] * (longest - len(begun) - len(rest))] for begun, rest in chats]
    hidden = model.model(input_ids=torch.tensor(rows)).last_hidden_state  # what fills up comes last, and is not seen
    return torch.cat(
        [row[len(begun) - 1 : len(begun) + len(rest)] for row, (begun, rest) in zip(hidden, chats, strict=True)]
    )


def words(tokenizer: Any, likely: np.ndarray[Any, Any]) -> list[str]:
    """Latin pieces of more than a letter, without white space but a first one."""
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    latin = [
        (piece, token)
        for piece, token in tokenizer.get_vocab().items()
        if piece not in added and len(text := piece.removeprefix("\u2581")) > 1 and "\u2581" not in text
        if vocabulary.is_latin(text) and not any(sign.isspace() for sign in text)
    ]
    ranked = sorted(latin, key=lambda one: -likely[one[1]])
    return [piece for piece, _ in ranked[:WORDS]]


if __name__ == "__main__":
    main()
