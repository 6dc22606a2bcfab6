"""Write a model's answers to several dialogues in batches, the same answers as the engine that serves the model."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    SuppressTokensAtBeginLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from events.runtime.clock import Clock
from events.schema import Sampling, Turn
from functions.generate.decoding.stages import AnswerStages, WritingStage
from functions.generate.decoding.writer import Times
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.engines.transformers.engine import barred_first_tokens, end_tokens, format_of, make_writer
from training.evaluation.shared_prefix import CountDone, no_progress

_ROWS = 8
"""Answers at once: each holds the keys and values of its whole prompt."""


class BatchWriter:
    """Writes one model's answers in batches."""

    def __init__(self, checkpoint: Checkpoint, *, clock: Clock) -> None:
        self._model: Any = checkpoint.model
        self._tokenizer: Any = checkpoint.tokenizer
        self._format = format_of(checkpoint.card, checkpoint.tokenizer, clock, training=True)
        self._ends = end_tokens(checkpoint, self._format)
        self._writer = make_writer(checkpoint, self._format)

    def answers(self, asked: Sequence[tuple[Sequence[Turn], Sampling]], done: CountDone = no_progress) -> list[str]:
        """Return an answer to the last turn of each. `done`: called at every token; may raise to stop."""
        started = [_UnfinishedAnswer(*self._writer.begin(turns, sampling), sampling) for turns, sampling in asked]
        waiting = [one for one in started if one.start_next_stage()]
        done(len(started) - len(waiting))
        while waiting:
            batch, waiting = _next_batch(waiting)
            self._write(batch, done)
            going = [one for one in batch if one.start_next_stage()]
            waiting += going
            done(len(batch) - len(going))
        return [self._writer.answer(one.prompt, one.stages, Times()).text for one in started]

    def _write(self, batch: Sequence["_UnfinishedAnswer"], done: CountDone) -> None:
        """Generate the current stage of each answer in `batch`."""
        first, width = batch[0], max(len(one.shown) for one in batch)
        missing = [width - len(one.shown) for one in batch]
        pad = self._ends[0]
        ids = torch.tensor([[*[pad] * gap, *one.shown] for one, gap in zip(batch, missing, strict=True)])
        mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in missing])
        stops = {*self._ends, *first.stage.stops}
        ended = _RowEnds(self._is_over(stops), width, len(batch), done)
        config = GenerationConfig(
            max_new_tokens=first.stage.limit, eos_token_id=sorted(stops), pad_token_id=pad, do_sample=False
        )
        with torch.inference_mode():
            written = self._model.generate(
                ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=self._processors(batch, width),
                stopping_criteria=StoppingCriteriaList([ended]),
            )
        for one, row, size in zip(batch, written[:, width:].tolist(), ended.sizes, strict=True):
            one.stages.add(row[:size], cut=size is None)

    def _is_over(self, stops: Collection[int]) -> Callable[[list[int]], bool]:
        return lambda tokens: tokens[-1] in stops or self._format.end in self._tokenizer.decode(tokens)

    def _processors(self, batch: Sequence["_UnfinishedAnswer"], width: int) -> LogitsProcessorList:
        first = batch[0]
        return LogitsProcessorList(
            [
                RepetitionPenaltyLogitsProcessor(first.sampling.repetition_penalty, prompt_ignore_length=width),
                SuppressTokensAtBeginLogitsProcessor(
                    barred_first_tokens(self._tokenizer, self._ends, first.stage), width
                ),
                _RowSampler([(one.sampling, one.stage) for one in batch]),
            ]
        )


@dataclass(slots=True)
class _UnfinishedAnswer:
    """An unfinished answer."""

    prompt: list[int]
    stages: AnswerStages
    sampling: Sampling
    stage: WritingStage = field(init=False)

    @property
    def shown(self) -> list[int]:
        return [*self.prompt, *self.stages.tokens]

    @property
    def batch_key(self) -> tuple[object, ...]:
        """Return what all answers of a batch have in common."""
        stage = self.stage
        return stage.limit, stage.stops, stage.thinking, stage.number == 0, self.sampling.repetition_penalty

    def start_next_stage(self) -> bool:
        """Move to the next stage, and return whether there is one."""
        stage = self.stages.next()
        if stage:
            self.stage = stage
        return bool(stage)


def _next_batch(waiting: Sequence[_UnfinishedAnswer]) -> tuple[list[_UnfinishedAnswer], list[_UnfinishedAnswer]]:
    """Split `waiting` into a batch, longest first to keep padding small, and the rest."""
    ordered = sorted(waiting, key=lambda one: -len(one.shown))
    batch = [one for one in ordered if one.batch_key == ordered[0].batch_key][:_ROWS]
    chosen = set(map(id, batch))
    return batch, [one for one in ordered if id(one) not in chosen]


class _RowSampler(LogitsProcessor):  # type: ignore[misc]  # transformers exports it untyped
    """Samples one token for each row with its own generator, as transformers samples a single row."""

    def __init__(self, rows: Sequence[tuple[Sampling, WritingStage]]) -> None:
        self._rows = [
            (_warpers(sampling), torch.Generator().manual_seed(stage.seed(sampling.seed)))
            if sampling.temperature
            else None
            for sampling, stage in rows
        ]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for row, drawing in enumerate(self._rows):
            if drawing:
                warp, generator = drawing
                chances = warp(input_ids[row : row + 1], scores[row : row + 1]).softmax(-1)
                token = torch.multinomial(chances, 1, generator=generator)
                scores[row] = -torch.inf
                scores[row, token] = 0.0
        return scores


def _warpers(sampling: Sampling) -> LogitsProcessorList:
    """Return the processors of logits for sampling, in transformers' order."""
    return LogitsProcessorList(
        [
            TemperatureLogitsWarper(float(sampling.temperature)),
            *([TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []),
            *([TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []),
        ]
    )


class _RowEnds(StoppingCriteria):  # type: ignore[misc]  # transformers exports it untyped
    """Ends each row when it `is_over`, and stores its number of tokens."""

    def __init__(self, is_over: Callable[[list[int]], bool], width: int, rows: int, done: CountDone) -> None:
        self._is_over = is_over
        self._width = width
        self._done = done
        self.sizes: list[int | None] = [None] * rows

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        self._done(0)
        for row, tokens in enumerate(input_ids[:, self._width :].tolist()):
            if self.sizes[row] is None and self._is_over(tokens):
                self.sizes[row] = len(tokens)
        return torch.tensor([size is not None for size in self.sizes])
