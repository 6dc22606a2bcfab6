"""What the answers of a model look like next to the true ones."""

from collections import Counter
from collections.abc import Iterable
from math import exp, lgamma

from training.data.duplicates import normalized

LONG_ENOUGH = 5
"""Words from which on the same answer is no coincidence."""


def ngrams(texts: Iterable[str], size: int) -> Counter[tuple[str, ...]]:
    """The n-grams of `size` words, and how often each is there."""
    return Counter(
        tuple(words[start : start + size])
        for words in (normalized(text).split() for text in texts)
        for start in range(len(words) - size + 1)
    )


def distinct_share(found: Counter[tuple[str, ...]], among: int) -> float:
    """The share of different n-grams (Li et al., 2016) to be expected `among` so many that are drawn from `found`.

    A longer text repeats itself more, so what is compared must have one length: rarefaction (Hurlbert, 1971).
    0 if there are none.
    """
    whole, among = found.total(), min(among, found.total())
    expected = sum(1 - _missed(whole, times, among) for times in found.values())
    return expected / among if among else 0.0


def _missed(whole: int, times: int, among: int) -> float:
    """The chance that a draw of `among` from `whole` has none of `times`."""
    if among > whole - times:
        return 0.0
    chances = (
        lgamma(whole - times + 1) - lgamma(whole - times - among + 1) - lgamma(whole + 1) + lgamma(whole - among + 1)
    )
    return exp(chances)


def count_verbatim(texts: Iterable[str], learned: Iterable[str]) -> int:
    """How many of `texts` repeat a long answer of the training data word for word."""
    known = {answer for answer in map(normalized, learned) if is_long(answer)}
    return sum(normalized(text) in known for text in texts)


def is_long(text: str) -> bool:
    return len(text.split()) >= LONG_ENOUGH
