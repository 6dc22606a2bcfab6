"""Where somebody's words spell a token of a tokenizer: cut there, they spell it no more."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator


class Spellings:
    """Texts that words must not be taken for."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(text for text in texts if len(text) > 1)
        lengths: dict[str, set[int]] = defaultdict(set)
        for text in self._texts:
            lengths[text[0]].add(len(text))
        self._lengths = {first: sorted(some) for first, some in lengths.items()}
        firsts = "".join(map(re.escape, self._lengths))
        self._first = re.compile(f"[{firsts}]" if firsts else r"(?!)")

    def cut(self, words: str) -> Iterator[str]:
        """Yield `words` in pieces of which none has one of the texts in it."""
        start = 0
        for found in self._first.finditer(words):
            place = found.start()
            if any(words[place : place + length] in self._texts for length in self._lengths[found[0]]):
                yield words[start : place + 1]
                start = place + 1
        yield words[start:]
