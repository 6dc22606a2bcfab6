"""Score the likelihood of answers under a model: the base of bits per byte and recall."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from events.runtime.clock import Clock
from events.schema import Role, Turn
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.prompts.conversation import alternating_turns
from training.evaluation import shared_prefix
from training.evaluation.shared_prefix import NO_PREFIX, CachedPrefix, CountDone, ScoredText, no_progress
from training.examples import Example
from training.fit.lessons import Lesson
from training.weights import serving_renderer

CANDIDATES = 10
"""Answers that recall chooses among, including the true one."""
LIMIT = 1024
"""Tokens of a prompt and its answer, at most."""


@dataclass(frozen=True, slots=True)
class Surprisal:
    """The surprisal of an answer and its end of turn. `size`: its UTF-8 bytes, plus one for the end of turn."""

    nats: float
    size: int

    @property
    def bits(self) -> float:
        return self.nats / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        return self.bits / self.size


class Scorer:
    """Scores answers with one model, prompted as when served; reads common beginnings of prompts once."""

    def __init__(self, checkpoint: Checkpoint, *, clock: Clock) -> None:
        self._model: Any = checkpoint.model
        self._renderer = serving_renderer(checkpoint, LIMIT, clock)
        # The text before the first word may depend on the language of that word.
        openings = {self._shared_opening(*words) for words in (("a", "b"), ("а", "б"))} - {()}
        self._openings = [shared_prefix.read_prefix(self._model, opening) for opening in sorted(openings, key=len)]

    def surprisal(self, context: Sequence[Turn], answer: str) -> Surprisal:
        """Return the surprisal of `answer` after `context`."""
        return self.surprisals([(context, answer)])[0]

    def surprisals(self, asked: Iterable[tuple[Sequence[Turn], str]], done: CountDone = no_progress) -> list[Surprisal]:
        """Return the surprisal of each answer after its context, in the order of `asked`.

        Texts are read in batches, and a prompt that several answers share is read once.
        """
        turns = [[*context, Turn(role=Role.ASSISTANT, text=answer)] for context, answer in asked]
        lessons = list(map(self._renderer.lesson, turns))
        nats = [0.0] * len(lessons)
        for known, places in self._groups(lessons):
            texts = [
                ScoredText(lessons[place].prompt.ids[len(known.ids) :], lessons[place].answer.ids) for place in places
            ]
            for place, value in zip(places, shared_prefix.answer_nats(self._model, known, texts, done), strict=True):
                # The rest of a cut answer is assumed to be like its beginning.
                nats[place] = value * lessons[place].whole / len(lessons[place].answer.ids)
        return [Surprisal(*both) for both in zip(nats, map(self._size, turns), strict=True)]

    def _size(self, turns: Sequence[Turn]) -> int:
        scored = alternating_turns(turns)[-1] if self._renderer.format.joins_turns else turns[-1]
        return len(scored.text.strip().encode()) + 1

    def _groups(self, lessons: Sequence[Lesson]) -> Iterator[tuple[CachedPrefix, list[int]]]:
        """Yield each prefix to read once, with the positions of the lessons that begin with it."""
        asked: dict[tuple[int, ...], list[int]] = {}
        for place, lesson in enumerate(lessons):
            # Without the last token, at which the answer's first one is predicted.
            if lesson.answer.ids:
                asked.setdefault(tuple(lesson.prompt.ids[:-1]), []).append(place)
        alone: dict[tuple[int, ...], list[int]] = {}
        for prompt, places in asked.items():
            known = self._cached_prefix(prompt)
            if len(places) > 1 and len(prompt) > len(known.ids):
                yield shared_prefix.read_prefix(self._model, prompt, known), places
            else:
                alone.setdefault(known.ids, []).extend(places)
        for ids, places in alone.items():
            yield self._cached_prefix(ids), places

    def _cached_prefix(self, prompt: tuple[int, ...]) -> CachedPrefix:
        """Return the longest cached prefix that `prompt` begins with."""
        return next((one for one in reversed(self._openings) if prompt[: len(one.ids)] == one.ids), NO_PREFIX)

    def _shared_opening(self, *words: str) -> tuple[int, ...]:
        """Return the tokens before the first word of a prompt that `words` have in common."""
        user, assistant = Role.USER, Role.ASSISTANT
        dialogues = ([Turn(role=user, text=word), Turn(role=assistant, text=word)] for word in words)
        prompts = [self._renderer.lesson(dialogue).prompt.ids for dialogue in dialogues]
        return tuple(prompts[0][: shared_prefix.shared_length(prompts)])


def example_surprisals(scorer: Scorer, examples: Iterable[Example], done: CountDone = no_progress) -> list[Surprisal]:
    """Return the surprisal of each example's answer after its context."""
    return scorer.surprisals([(example.context, example.answer) for example in examples], done)


def bits_per_byte(found: Sequence[Surprisal]) -> float:
    """Return the bits per byte of all answers: comparable between tokenizers, lower is better."""
    return Surprisal(sum(one.nats for one in found), sum(one.size for one in found)).bits_per_byte


def recall_ranks(
    scorer: Scorer, examples: Sequence[Example], others: Sequence[str], seed: int, done: CountDone = no_progress
) -> list[int]:
    """Return the rank, from 1, of each true answer by bits per byte among CANDIDATES answers, drawn from `others`.

    The list is empty if `others` are too few: a rank among three says little.
    """
    if len(set(others)) < CANDIDATES:
        return []
    draw = Random(seed)  # noqa: S311 -- a choice that can be repeated, no secret
    chosen = [
        [example.answer, *draw.sample(sorted(set(others) - {example.answer}), CANDIDATES - 1)] for example in examples
    ]
    asked = [(example.context, answer) for example, answers in zip(examples, chosen, strict=True) for answer in answers]
    found = iter(scorer.surprisals(asked, done))
    return [_rank([next(found) for _ in answers]) for answers in chosen]


def _rank(surprises: Sequence[Surprisal]) -> int:
    """Return the rank, from 1, of the first one; ties count against it."""
    true, *others = (surprise.bits_per_byte for surprise in surprises)
    return 1 + sum(other <= true for other in others)
