"""Measure how well a model knows its canaries: their rank among similar secrets, and whether it leaks them.

Exposure is log2 |R| - log2 rank in a space R of secrets that were equally likely (Carlini et al. 2019). The rank is
estimated on a sample of OTHERS secrets of R, so exposure is log2(OTHERS + 1) bits at most. For a secret that was not
learned it is above 1 half of the time. Whether answers leak a secret follows from the probabilities of the secret's
tokens after the question as it is served: whether the greedy answer does, and how likely one of several answers with
the default settings does (probabilistic extraction, Hayes et al. 2024).
"""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from events.runtime.clock import Clock
from events.schema import Sampling
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.engines.transformers.engine import end_tokens
from training.evaluation import shared_prefix
from training.evaluation.leaks import OTHERS, CanaryExposure
from training.evaluation.scoring import LIMIT
from training.evaluation.shared_prefix import NO_PREFIX, CachedPrefix, ScoredText, shared_length
from training.fit.canaries import Canary
from training.fit.lessons import Lesson
from training.weights import serving_renderer


def measure_exposures(
    checkpoint: Checkpoint, canaries: Sequence[Canary], *, seed: int, clock: Clock, tick: Callable[[], None]
) -> list[CanaryExposure]:
    """Measure each canary. `seed`: for drawing other secrets. `tick`: called before each canary; may raise to stop."""
    examiner = _Examiner(checkpoint, clock, canaries)
    found = []
    for number, canary in enumerate(canaries):
        tick()
        others = canary.space.others(canary.secret, OTHERS, Random(f"{seed} {number}"))  # noqa: S311 -- a sample
        found.append(examiner.measure(canary, others))
    return found


class _Examiner:
    """Measures `canaries`; the common beginning of their questions is read once."""

    def __init__(self, checkpoint: Checkpoint, clock: Clock, canaries: Sequence[Canary]) -> None:
        self._model: Any = checkpoint.model
        self._renderer = serving_renderer(checkpoint, LIMIT, clock)
        self._ends = end_tokens(checkpoint, self._renderer.format)
        self._sampling = Sampling()
        self._warped = LogitsProcessorList(
            [TemperatureLogitsWarper(self._sampling.temperature), TopPLogitsWarper(self._sampling.top_p)]
        )
        prompts = [self._lesson(canary, canary.secret).prompt.ids for canary in canaries]
        self._opening = (
            shared_prefix.read_prefix(self._model, prompts[0][: _shared_beginning(prompts)]) if prompts else NO_PREFIX
        )

    def measure(self, canary: Canary, others: Sequence[str]) -> CanaryExposure:
        lessons = [self._lesson(canary, secret) for secret in (canary.secret, *others)]
        prompt, answers = lessons[0].prompt.ids, [lesson.answer.ids for lesson in lessons]
        begun = _shared_beginning(answers)
        ended = _shared_beginning([ids[begun:][::-1] for ids in answers])
        secrets = [ids[begun : len(ids) - ended] for ids in answers]
        # Without the last token, at which the next one is predicted.
        asked = shared_prefix.read_prefix(self._model, prompt[:-1], self._opening)
        nats = self._nats(asked, [*prompt, *answers[0][:begun]], secrets)
        greedy, chance = self._probability(asked, prompt, answers[0][: len(answers[0]) - ended])
        rank = 1 + sum(other <= nats[0] for other in nats[1:])
        return CanaryExposure(canary.repeats, math.log2(len(nats) / rank), greedy, chance)

    def _lesson(self, canary: Canary, secret: str) -> Lesson:
        return self._renderer.lesson(canary.example(secret).turns)

    def _nats(self, asked: CachedPrefix, before: list[int], secrets: Sequence[list[int]]) -> list[float]:
        """Return the nats of each secret after `before`, which is read once."""
        known = shared_prefix.read_prefix(self._model, before[:-1], asked)
        return shared_prefix.answer_nats(self._model, known, [ScoredText(before[-1:], secret) for secret in secrets])

    def _probability(self, asked: CachedPrefix, prompt: list[int], answer: list[int]) -> tuple[bool, float]:
        """Return whether the greedy answer to `prompt` begins with `answer`, and how probable that is when sampling."""
        ids = torch.tensor([prompt + answer])
        with torch.inference_mode():
            new = ids[:, len(asked.ids) : -1]
            logits = self._model(new, past_key_values=asked.copies(1), use_cache=True).logits[0].float()
        logits = logits.clone()
        logits[0, self._ends] = -math.inf  # engines write no empty answer
        repeated = RepetitionPenaltyLogitsProcessor(self._sampling.repetition_penalty, prompt_ignore_length=len(prompt))
        greedy, chance = True, 1.0
        for place, token in enumerate(answer):
            scores = repeated(ids[:, : len(prompt) + place], logits[place : place + 1])
            greedy = greedy and int(scores.argmax()) == token
            chance *= self._chance(scores, token)
        return greedy, chance

    def _chance(self, scores: Any, token: int) -> float:
        """Return the probability of `token` with the engine's sampling; sorting few scores is faster than all."""
        size = scores.shape[-1]
        likeliest, tokens = scores.topk(min(self._sampling.top_k or size, size))
        drawn = self._warped(tokens, likeliest).softmax(-1)
        return float(drawn[tokens == token].sum())


def _shared_beginning(sequences: Sequence[list[int]]) -> int:
    """Return the length of the common beginning of `sequences`; at least one token of each is left."""
    return shared_length([ids[:-1] for ids in sequences])
