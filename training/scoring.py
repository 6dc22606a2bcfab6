"""How likely a model finds an answer: the measure behind bits per byte and recall."""

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from events.runtime.clock import Clock
from events.schema import Role, Turn
from functions.generate.encoding import Encoder
from functions.generate.engines.checkpoints import Checkpoint
from functions.generate.engines.transformers import context_of, format_of
from functions.generate.prompts import alternating
from training.examples import Example
from training.lessons import Renderer

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
    def bits(self) -> float:
        return self.nats / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        return self.bits / self.size


class Scorer:
    """Scores answers with one model, prompted as it is served. What prompts begin with is read once."""

    def __init__(self, checkpoint: Checkpoint, *, clock: Clock) -> None:
        self._model: Any = checkpoint.model
        self._renderer = Renderer(
            format_of(checkpoint.card, checkpoint.tokenizer, clock),
            Encoder(checkpoint.tokenizer),
            min(_LIMIT, context_of(checkpoint.model)),
        )
        self._opening = _Read([], None)
        self._opening = self._read(self._shared())
        self._prompt = self._opening
        """The last one: several answers to it may follow each other."""

    def surprise(self, context: Sequence[Turn], answer: str) -> Surprise:
        turns = [*context, Turn(role=Role.ASSISTANT, text=answer)]
        lesson = self._renderer.lesson(turns)
        # The answer's first token is foretold at the prompt's last one.
        prompt, rest = lesson.prompt.ids[:-1], torch.tensor([[lesson.prompt.ids[-1], *lesson.answer.ids]])
        if prompt != self._prompt.ids:
            self._prompt = self._read(prompt)
        with torch.inference_mode():
            logits = self._model(rest, past_key_values=self._prompt.copy(), use_cache=True).logits[0, :-1]
            nats = cross_entropy(logits.float(), rest[0, 1:], reduction="sum")
        scored = alternating(turns)[-1].text if self._renderer.format.joins else answer
        return Surprise(float(nats), len(scored.strip().encode()) + 1)

    def _shared(self) -> list[int]:
        """The tokens that every prompt begins with."""
        dialogues = ((Turn(role=Role.USER, text=text), Turn(role=Role.ASSISTANT, text=text)) for text in ("a", "б"))
        pairs = zip(*(self._renderer.encode(dialogue).ids for dialogue in dialogues), strict=False)
        return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]

    def _read(self, ids: list[int]) -> "_Read":
        known = self._opening
        if known.ids != ids[: len(known.ids)] or len(known.ids) == len(ids):
            known = _Read([], None)
        if not ids:
            return known
        with torch.inference_mode():
            read = self._model(
                torch.tensor([ids[len(known.ids) :]]), past_key_values=known.copy(), use_cache=True, logits_to_keep=1
            )
        return _Read(ids, read.past_key_values)


@dataclass(frozen=True, slots=True)
class _Read:
    """Tokens, and the keys and values that a model has of them."""

    ids: list[int]
    cache: Any

    def copy(self) -> Any:
        """The model that gets it adds to it."""
        return deepcopy(self.cache)


def surprises(scorer: Scorer, examples: Iterable[Example]) -> list[Surprise]:
    """Of each answer."""
    return [scorer.surprise(example.context, example.answer) for example in examples]


def bits_per_byte(found: Sequence[Surprise]) -> float:
    """Of all the answers together; comparable over tokenizers. Lower is better."""
    return Surprise(sum(one.nats for one in found), sum(one.size for one in found)).bits_per_byte


def ranks(scorer: Scorer, examples: Sequence[Example], others: Sequence[str], seed: int) -> list[int]:
    """The place, from 1, of each true answer among CANDIDATES by bits per byte; the rest is drawn from `others`.

    None are given where `others` are too few: the likeliest of three is no feat.
    """
    if len(set(others)) < CANDIDATES:
        return []
    draw = Random(seed)  # noqa: S311 -- a choice that can be repeated, no secret
    return [_rank(scorer, example, _distractors(example.answer, others, draw)) for example in examples]


def _distractors(answer: str, others: Sequence[str], draw: Random) -> list[str]:
    return draw.sample(sorted(set(others) - {answer}), CANDIDATES - 1)


def _rank(scorer: Scorer, example: Example, distractors: Iterable[str]) -> int:
    true = scorer.surprise(example.context, example.answer).bits_per_byte
    return 1 + sum(scorer.surprise(example.context, other).bits_per_byte <= true for other in distractors)
