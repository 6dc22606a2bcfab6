"""An index of texts by character n-grams, to find similar ones.

Similarity is the cosine of TF-IDF vectors of n-grams, which include the ends of words, so that other forms of a word
and typos count in part.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIZES = (2, 3, 4)
"""In characters."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class NgramIndex:
    """`numbers` and `weights`, n-gram by n-gram: the numbers of the texts that contain it, and its weight in each."""

    texts: int
    places: dict[str, int]
    """The row of each n-gram."""
    starts: NDArray[np.int64]
    """Where the part of each row in `numbers` and `weights` starts, and the end of the last."""
    numbers: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> "NgramIndex":
        counts = [Counter(_grams(text)) for text in texts]
        found = defaultdict[str, list[int]](list)
        for number, count in enumerate(counts):
            for gram in count:
                found[gram].append(number)
        rarity = {gram: _rarity(len(texts), len(numbers)) for gram, numbers in found.items()}
        vectors = [_vector(count, rarity) for count in counts]
        return cls(
            len(texts),
            {gram: place for place, gram in enumerate(found)},
            np.cumsum([0, *map(len, found.values())]),
            np.array([number for numbers in found.values() for number in numbers], dtype=np.int32),
            np.array(
                [vectors[number][gram] for gram, numbers in found.items() for number in numbers], dtype=np.float32
            ),
        )

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "NgramIndex":
        """Return the index that `arrays` describes. Raises KeyError, ValueError."""
        grams = arrays["grams"].tobytes().decode().split("\n")
        places = {gram: place for place, gram in enumerate(grams)}
        return cls(int(arrays["texts"]), places, arrays["starts"], arrays["numbers"], arrays["weights"])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the index as arrays, to be stored in a file."""
        grams = np.frombuffer("\n".join(self.places).encode(), dtype=np.uint8)
        return {
            "texts": np.array(self.texts),
            "grams": grams,
            "starts": self.starts,
            "numbers": self.numbers,
            "weights": self.weights,
        }

    def similarity(self, text: str) -> NDArray[np.float64]:
        """Return the similarity of `text` to each text of the index, from 0 to 1."""
        found = np.zeros(self.texts)
        known = {gram: number for gram, number in Counter(_grams(text)).items() if gram in self.places}
        for gram, weight in _vector(known, {gram: self._rarity(gram) for gram in known}).items():
            part = self._part(gram)
            found[self.numbers[part]] += weight * self.weights[part]
        return found

    def _rarity(self, gram: str) -> float:
        part = self._part(gram)
        return _rarity(self.texts, part.stop - part.start)

    def _part(self, gram: str) -> slice:
        place = self.places[gram]
        return slice(int(self.starts[place]), int(self.starts[place + 1]))


def _rarity(texts: int, having: int) -> float:
    return 1 + math.log((1 + texts) / (1 + having))


def _vector(count: Mapping[str, int], rarity: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of the n-grams, scaled to a vector of length 1."""
    weights = {gram: (1 + math.log(number)) * rarity[gram] for gram, number in count.items()}
    length = math.hypot(*weights.values())
    return {gram: weight / length for gram, weight in weights.items()}


def _grams(text: str) -> Iterator[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    for word in re.sub(r"[\W_]", " ", folded).split():
        ended = f" {word} "
        for size in _SIZES:
            yield from (ended[start : start + size] for start in range(len(ended) - size + 1))
