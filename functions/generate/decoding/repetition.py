"""Whether an answer repeats what the conversation has already: the words are compared, not how they are written."""

import re
from collections.abc import Iterable, Sequence
from unicodedata import category, normalize

from events.schema import Role, Sampling, Turn
from functions.generate.decoding.thoughts import without_thoughts
from functions.generate.prompts.conversation import MAX_CHARACTERS_PER_TOKEN

LEAST_WORDS = 4
"""Shorter answers, such as «Да.», may be given again."""

_INSIDE_A_WORD = re.compile(r"(?<=[^\W\d_])['’\-‐](?=[^\W\d_])")
_NO_WORD = re.compile(r"[^\w\s]|_")


class EarlierTexts:
    """What an answer should not be once more: of `texts`, those with at least `LEAST_WORDS` words."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(map(" ".join, filter(_is_long, map(_words, texts))))

    @classmethod
    def of(cls, turns: Sequence[Turn], sampling: Sampling) -> "EarlierTexts":
        """The last of `turns`, and the assistant's answers before it. What no answer can be as long as is left out."""
        answers = [turn.text for turn in without_thoughts(turns[:-1]) if turn.role is Role.ASSISTANT]
        longest = sampling.max_new_tokens * MAX_CHARACTERS_PER_TOKEN
        return cls(text for text in (*answers, turns[-1].text) if len(text) <= longest)

    def has(self, text: str) -> bool:
        return bool(self._texts) and " ".join(_words(text)) in self._texts

    def may_have(self, beginning: str) -> bool:
        """Whether a text with this `beginning`, of whole words, may turn out to be one of these."""
        if not self._texts:
            return False
        begun = " ".join(_words(beginning))
        return any(text.startswith(begun) for text in self._texts)


def _is_long(words: Sequence[str]) -> bool:
    return len(words) >= LEAST_WORDS


def _words(text: str) -> list[str]:
    """Without case and punctuation, and with е for ё."""
    plain = normalize("NFKC", text).casefold().replace("ё", "е")
    spaced = _NO_WORD.sub(_instead, _INSIDE_A_WORD.sub("", plain))
    return [word for word in spaced.split() if any(map(str.isalnum, word))]


def _instead(found: re.Match[str]) -> str:
    """Punctuation and symbols part words; marks, as in Hindi, belong to one, and what is not seen is nothing."""
    kind = category(found[0])
    if kind == "Cf":
        return ""
    return found[0] if kind.startswith("M") else " "
