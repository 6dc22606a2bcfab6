"""How likely a model finds an answer: the measure behind bits per byte and recall."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Any

import torch

from events.schema import Role, Turn
from functions.generate.encoding import Encoded, Encoder
from functions.generate.engines.checkpoints import Checkpoint
from functions.generate.engines.transformers import format_of
from training.examples import Example
from training.packing import Renderer, pack
from training.trainer import pack_loss

CANDIDATES = 10
"""Answers that recall chooses among, the true one included."""
_LIMIT = 1024
"""Tokens of a prompt and its answer."""


@dataclass(frozen=True, slots=True)
class Surprise:
    """Nats of an answer and its end of turn, and their size: UTF-8 bytes, and one for the end of turn."""

    nats: float
    size: int

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.size


class Scorer:
    """Scores answers with one model, prompted as it is served."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model: Any = checkpoint.model
        window = int(getattr(checkpoint.model.config.get_text_config(), "max_position_embeddings", _LIMIT))
        self._renderer = Renderer(
            format_of(checkpoint.card, checkpoint.tokenizer), Encoder(checkpoint.tokenizer), min(_LIMIT, window)
        )

    def surprise(self, context: Sequence[Turn], answer: str) -> Surprise:
        encoded = self._renderer.encode((*context, Turn(role=Role.ASSISTANT, text=answer)))
        (packed,) = pack([_last_learned(encoded)], tokens=_LIMIT, seed=0)
        with torch.inference_mode():
            return Surprise(float(pack_loss(self._model, packed)), len(answer.strip().encode()) + 1)


def _last_learned(encoded: Encoded) -> Encoded:
    """Only the last of the owner's turns counts: the earlier ones have their own example."""
    frame = len(list(takewhile(lambda learned: not learned, reversed(encoded.learned))))
    words = len(list(takewhile(bool, reversed(encoded.learned[: len(encoded.learned) - frame]))))
    start = len(encoded.learned) - frame - words
    return Encoded(encoded.ids, [start <= place < start + words for place in range(len(encoded.ids))])


def bits_per_byte(scorer: Scorer, examples: Iterable[Example]) -> float:
    """Of all the answers together; comparable over tokenizers. Lower is better."""
    nats, size = 0.0, 0
    for example in examples:
        surprise = scorer.surprise(example.context, example.answer)
        nats += surprise.nats
        size += surprise.size
    return Surprise(nats, size).bits_per_byte


def ranks(scorer: Scorer, examples: Sequence[Example], others: Sequence[str], seed: int) -> list[int]:
    """The place, from 1, of each true answer among CANDIDATES by bits per byte; the rest is drawn from `others`."""
    draw = Random(seed)  # noqa: S311 -- a choice that can be repeated, no secret
    return [_rank(scorer, example, _distractors(example.answer, others, draw)) for example in examples]


def _distractors(answer: str, others: Sequence[str], draw: Random) -> list[str]:
    different = sorted(set(others) - {answer})
    return draw.sample(different, min(CANDIDATES - 1, len(different)))


def _rank(scorer: Scorer, example: Example, distractors: Iterable[str]) -> int:
    true = scorer.surprise(example.context, example.answer).bits_per_byte
    return 1 + sum(scorer.surprise(example.context, other).bits_per_byte <= true for other in distractors)
