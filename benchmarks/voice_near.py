"""Near examples: the exchanges of the corpus whose questions are most like the one asked, as turns before it.

Likeness is the cosine of TF-IDF vectors of character n-grams, the ends of words included, so that other forms of a word
and typos count for something. Nothing is drawn: the same question has the same examples each time.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest

from events.schema import Role, Turn
from functions.generate.personas import ENGLISH, speaking_to
from training.voice.talks import Exchange, Talk

K = 4
_SIZES = (2, 3, 4)
"""Of n-grams, in characters."""
_OUT_OF_PLACE = 0.75
"""What likeness counts where nothing was said before the question, but was in the corpus, whose answer may need it."""


@dataclass(frozen=True, slots=True)
class Example:
    """An exchange of the corpus, and the one before it in its talk."""

    exchange: Exchange
    before: Exchange | None


class Near:
    """The corpus of all languages, to be searched in that of who asks."""

    def __init__(self, talks: Iterable[Talk], *, k: int = K) -> None:
        examples = defaultdict[str, list[Example]](list)
        for talk in talks:
            examples[talk.language] += map(Example, talk.exchanges, (None, *talk.exchanges))
        self._of = {language: _Searched(some) for language, some in examples.items()}
        self._k = k

    def turns(self, asked: Sequence[Turn]) -> list[Turn]:
        """What goes before `asked`: at most `k` exchanges, the nearest last.

        Where there is talk before the question, each has the exchange before it in front, if it has one.
        """
        searched = self._of.get("en" if speaking_to(asked) is ENGLISH else "ru")
        if searched is None:
            return []
        *before, question = [turn.text for turn in asked if turn.role is Role.USER]
        found = searched.nearest(question, before[-1] if before else None, self._k)
        return [
            turn
            for example in reversed(found)
            for exchange in ((example.before, example.exchange) if before else (example.exchange,))
            if exchange
            for turn in exchange.turns
        ]


class _Searched:
    """The examples of one language."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._questions = _Index([example.exchange.question for example in examples])

    def nearest(self, question: str, before: str | None, k: int) -> list[Example]:
        """The nearest first, and each answer once; of equally near ones those that the corpus has first."""
        scores = self._questions.likeness(question)
        befores = {} if before is None else self._questions.likeness(before)
        for number in scores:
            if self._examples[number].before:  # then it is the exchange before it in the list, too
                scores[number] *= _OUT_OF_PLACE if before is None else 1 + befores.get(number - 1, 0)
        order = nlargest(2 * k, scores, key=lambda number: (scores[number], -number))
        answers = {self._examples[number].exchange.answer: self._examples[number] for number in reversed(order)}
        return list(reversed(answers.values()))[:k]


class _Index:
    """Texts by their n-grams: a search looks only at those that share one with what is sought."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_grams(text)) for text in texts]
        in_texts = Counter(gram for count in counts for gram in count)
        self._rarity = {gram: 1 + math.log((1 + len(texts)) / (1 + number)) for gram, number in in_texts.items()}
        self._weights: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, count in enumerate(counts):
            for gram, weight in self._vector(count).items():
                self._weights[gram].append((number, weight))

    def likeness(self, text: str) -> dict[int, float]:
        """From 0 to 1, by the text's number, of those that are not 0."""
        found: dict[int, float] = defaultdict(float)
        for gram, weight in self._vector(Counter(_grams(text))).items():
            for number, other in self._weights[gram]:
                found[number] += weight * other
        return found

    def _vector(self, count: Counter[str]) -> dict[str, float]:
        """Of length 1, or without n-grams that no text has."""
        weights = {
            gram: (1 + math.log(number)) * self._rarity[gram] for gram, number in count.items() if gram in self._rarity
        }
        length = math.hypot(*weights.values())
        return {gram: weight / length for gram, weight in weights.items()}


def _grams(text: str) -> Iterator[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    for word in re.sub(r"[\W_]", " ", folded).split():
        ended = f" {word} "
        for size in _SIZES:
            yield from (ended[start : start + size] for start in range(len(ended) - size + 1))
