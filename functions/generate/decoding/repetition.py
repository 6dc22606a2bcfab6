"""Recognise an answer that repeats a text of the conversation: words are compared, without case and punctuation."""

import re
from collections.abc import Iterable, Sequence
from unicodedata import category, normalize

from events.schema import Role, Sampling, Turn
from functions.generate.decoding.thoughts import without_thoughts
from functions.generate.prompts.conversation import MAX_CHARACTERS_PER_TOKEN

LEAST_WORDS = 4
"""Shorter answers, such as «Да.», may be repeated."""

_INSIDE_A_WORD = re.compile(r"(?<=[^\W\d_])['’\-‐](?=[^\W\d_])")
_NO_WORD = re.compile(r"[^\w\s]|_")


class EarlierTexts:
    """The texts that an answer should not repeat: those of `texts` with at least `LEAST_WORDS` words."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(" ".join(words) for words in map(_words, texts) if len(words) >= LEAST_WORDS)

    @classmethod
    def of_conversation(cls, turns: Sequence[Turn], sampling: Sampling) -> "EarlierTexts":
        """Return the last of `turns` and the answers before it, without texts longer than an answer can be."""
        answers = [turn.text for turn in without_thoughts(turns[:-1]) if turn.role is Role.ASSISTANT]
        longest = sampling.max_new_tokens * MAX_CHARACTERS_PER_TOKEN
        return cls(text for text in (*answers, turns[-1].text) if len(text) <= longest)

    def contains(self, text: str) -> bool:
        return bool(self._texts) and " ".join(_words(text)) in self._texts

    def may_contain(self, beginning: str) -> bool:
        """Return whether a text that starts with `beginning`, whole words, may become one of these texts."""
        if not self._texts:
            return False
        begun = " ".join(_words(beginning))
        return any(text.startswith(begun) for text in self._texts)


def _words(text: str) -> list[str]:
    """Return the words of `text` in lower case, without punctuation, with е for ё."""
    plain = normalize("NFKC", text).casefold().replace("ё", "е")
    spaced = _NO_WORD.sub(_replacement, _INSIDE_A_WORD.sub("", plain))
    return [word for word in spaced.split() if any(map(str.isalnum, word))]


def _replacement(found: re.Match[str]) -> str:
    """Keep combining marks (as in Hindi), drop invisible characters, replace punctuation and symbols by a space."""
    kind = category(found[0])
    if kind == "Cf":
        return ""
    return found[0] if kind.startswith("M") else " "
