"""Measure the variety of a model's answers, and count those that repeat training answers word for word."""

from collections import Counter
from collections.abc import Iterable
from math import exp, lgamma

from training.data.duplicates import normalize

LONG_ANSWER = 5
"""Words: two equal answers of at least this length are not a coincidence."""


def ngrams(texts: Iterable[str], size: int) -> Counter[tuple[str, ...]]:
    """Count the n-grams of `size` words."""
    return Counter(
        tuple(words[start : start + size])
        for words in (normalize(text).split() for text in texts)
        for start in range(len(words) - size + 1)
    )


def distinct_share(found: Counter[tuple[str, ...]], among: int) -> float:
    """Return the expected share of different n-grams (Li et al., 2016) `among` that many drawn from `found`.

    Longer texts repeat themselves more, so texts are compared at equal length: rarefaction (Hurlbert, 1971).
    0 if `found` is empty.
    """
    whole, among = found.total(), min(among, found.total())
    expected = sum(1 - _missed(whole, times, among) for times in found.values())
    return expected / among if among else 0.0


def _missed(whole: int, times: int, among: int) -> float:
    """Return the probability that `among` draws from `whole` miss all of `times`."""
    if among > whole - times:
        return 0.0
    chances = (
        lgamma(whole - times + 1) - lgamma(whole - times - among + 1) - lgamma(whole + 1) + lgamma(whole - among + 1)
    )
    return exp(chances)


def count_verbatim(texts: Iterable[str], training_answers: Iterable[str]) -> int:
    """Count the `texts` that repeat a long answer of the training data word for word."""
    known = {answer for answer in map(normalize, training_answers) if is_long_answer(answer)}
    return sum(normalize(text) in known for text in texts)


def is_long_answer(text: str) -> bool:
    return len(text.split()) >= LONG_ANSWER
