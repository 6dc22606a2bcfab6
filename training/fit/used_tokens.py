"""The tokens of the owner's answers: a prepared model with a large vocabulary keeps them, whatever it leaves out."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from events.schema import Role, Turn
from training.data.splits import Part
from training.examples import read
from training.fit.lessons import Renderer

_LEAST = 2
"""Answers: the set of tokens goes with the model, and a name or a code that was written once is in none of them."""
_QUESTION = Turn(role=Role.USER, text=".")


def answers(data: Path) -> list[str]:
    """Each one that is learned from or validated with, once."""
    return list(dict.fromkeys(example.answer for part in (Part.TRAIN, Part.VALIDATION) for example in read(data, part)))


def used(answers: Iterable[str], renderer: Renderer, tick: Callable[[], object] = lambda: None) -> list[int]:
    """Return the tokens that several of `answers` are written with, in ascending order; `tick` is called for each."""
    found: Counter[int] = Counter()
    for answer in answers:
        tick()
        found.update({*renderer.lesson([_QUESTION, Turn(role=Role.ASSISTANT, text=answer)]).answer.ids})
    return sorted(token for token, count in found.items() if count >= _LEAST)
