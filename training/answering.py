"""Answers of a model by the engine that serves it, and what they look like next to the true ones."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from events.runtime.clock import Clock
from events.schema import Sampling
from functions.generate.engines.checkpoints import Checkpoint
from functions.generate.engines.transformers import TransformersEngine
from training.duplicates import plain
from training.examples import Example

LONG_ENOUGH = 5
"""Words from which on the same answer is no coincidence."""


def answers(checkpoint: Checkpoint, examples: Iterable[Example], sampling: Sampling, *, clock: Clock) -> list[str]:
    """An answer to each, with a seed of its own that follows from the one of `sampling`."""
    # In a thread, because a notebook's own has an event loop already.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _answers(checkpoint, examples, sampling, clock)).result()


async def _answers(checkpoint: Checkpoint, examples: Iterable[Example], sampling: Sampling, clock: Clock) -> list[str]:
    engine = TransformersEngine(checkpoint, clock=clock)
    try:
        return [
            (await engine.generate(example.context, sampling.model_copy(update={"seed": sampling.seed + number}))).text
            for number, example in enumerate(examples)
        ]
    finally:
        await engine.close()


def distinct(texts: Iterable[str], size: int) -> float:
    """The share of different n-grams of `size` words among all (Li et al., 2016); 0 if there are none."""
    grams = [
        tuple(words[start : start + size])
        for words in (plain(text).split() for text in texts)
        for start in range(len(words) - size + 1)
    ]
    return len(set(grams)) / len(grams) if grams else 0.0


def length_ratio(texts: Sequence[str], true: Sequence[str]) -> float:
    """How long `texts` are, all together, in lengths of the true ones; 1 is a match."""
    return sum(map(len, texts)) / sum(map(len, true))


def verbatim(texts: Sequence[str], learned: Iterable[str]) -> float:
    """The share of `texts` that repeat a long answer of the training data word for word."""
    known = {answer for answer in map(plain, learned) if is_long(answer)}
    return sum(plain(text) in known for text in texts) / len(texts) if texts else 0.0


def is_long(text: str) -> bool:
    return len(text.split()) >= LONG_ENOUGH
