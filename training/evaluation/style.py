"""Measure a person's style by letters and frequent words, as authorship attribution does.

A text is represented by its frequencies of the most frequent sequences of three letters and of the most frequent words,
which are function words in any language. Their deviation from what other people write, in units of what chance makes,
is compared by its angle: Cosine Delta (Smith and Aldridge, Improving authorship attribution, 2011; why the angle: Evert
et al., Understanding and explaining Delta measures, 2017). It is independent of the language.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from events.schema import Role
from training.examples import Example

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_LETTERS = 3
_MOST_TURNS = 1500
"""Of each side; more do not change the result."""
_IN_BRACKETS = re.compile(r"\[[^\[\]\n]{1,40}\]")
"""Placeholders, in any language, which are not the author's words."""
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SpokenTurns:
    """The turns of some dialogues, without repetitions."""

    owner: Sequence[str]
    others: Sequence[str]


def spoken_turns(examples: Iterable[Example], seed: int) -> SpokenTurns:
    """Return at most 1,500 turns of each side, drawn at random if there are more.

    `examples`: without names in front, which are not part of the style.
    """
    said: dict[Role, dict[tuple[int, ...], str]] = {Role.ASSISTANT: {}, Role.USER: {}}
    for example in examples:
        for turn, rows in zip(example.turns, example.rows, strict=True):
            if turn.role in said and (text := normalize_for_style(turn.text)):
                said[turn.role][rows] = text
    owner, others = (_draw_texts(list(texts.values()), seed) for texts in said.values())
    return SpokenTurns(owner, others)


def _draw_texts(texts: list[str], seed: int) -> list[str]:
    if len(texts) <= _MOST_TURNS:
        return texts
    return [texts[place] for place in np.random.default_rng(seed).choice(len(texts), _MOST_TURNS, replace=False)]


def normalize_for_style(text: str) -> str:
    """Return `text` without placeholders, with 0 for each digit and single spaces."""
    return " ".join(_DIGIT.sub("0", _IN_BRACKETS.sub(" ", text)).split())


def _sequences(text: str) -> list[str]:
    """Return the sequences of three characters, including the beginning and the end of the turn."""
    whole = f"\n{text}\n"
    return [whole[start : start + _LETTERS] for start in range(len(whole) - _LETTERS + 1)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


class StyleFeature:
    """The most frequent items of one kind in the training part; both sides have equal weight."""

    def __init__(self, learned: SpokenTurns, find: Callable[[str], list[str]], most: int) -> None:
        self._find = find
        usual: Counter[str] = Counter()
        for texts in (learned.owner, learned.others):
            counts = Counter(what for text in texts for what in find(text))
            usual.update({what: times / counts.total() / 2 for what, times in counts.items()})
        chosen = sorted(usual.items(), key=lambda item: (-item[1], item[0]))[:most]
        self._places = {what: place for place, (what, _) in enumerate(chosen)}
        # The standard deviation of a Poisson count is the root of its expected value.
        self._deviations = np.sqrt([share for _, share in chosen])

    def count(self, text: str) -> Vector:
        """Return how often each item occurs in `text`, followed by the total number of items."""
        counts = np.zeros(len(self._places) + 1)
        found = self._find(text)
        for what in found:
            if (place := self._places.get(what)) is not None:
                counts[place] += 1
        counts[-1] = len(found)
        return counts

    def distance(self, counts: Matrix, reference: Matrix, centre: Matrix) -> Vector:
        """Return the distances row by row; 0: the same deviation from `centre`, 1: nothing in common."""
        middle = _shares(centre)
        ours, theirs = ((_shares(one) - middle) / self._deviations for one in (counts, reference))
        sizes = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        return np.asarray(1 - (ours * theirs).sum(1) / np.where(sizes, sizes, 1))


def _shares(counts: Matrix) -> Matrix:
    return np.asarray(counts[:, :-1] / np.maximum(counts[:, -1:], 1))


def style_features(learned: SpokenTurns) -> dict[str, StyleFeature]:
    return {"letters": StyleFeature(learned, _sequences, 500), "words": StyleFeature(learned, _words, 100)}


class CountedTexts:
    """Texts and the counts of their features."""

    def __init__(self, texts: Sequence[str], counted: Iterable[StyleFeature]) -> None:
        self.turns = len(texts)
        self.letters = sum(map(len, texts))
        self._lengths = np.array([len(text) for text in texts], dtype=float)
        self._counts = [np.array([feature.count(text) for text in texts]) for feature in counted]

    def cut(self, letters: int, times: int, rng: Generator) -> tuple[list[Matrix], list[Matrix]]:
        """Draw turns with `letters` letters, `times` times; return their counts and those of the other turns."""
        order = rng.permuted(np.tile(np.arange(self.turns), (times, 1)), axis=1)
        lengths = self._lengths[order]
        before = np.cumsum(lengths, axis=1) - lengths
        taken = np.empty(order.shape)
        # The last turn counts partially.
        np.put_along_axis(taken, order, np.clip((letters - before) / lengths, 0, 1), axis=1)
        left = (taken == 0).astype(float)
        return [taken @ counts for counts in self._counts], [left @ counts for counts in self._counts]
