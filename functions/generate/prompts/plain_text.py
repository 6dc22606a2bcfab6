"""What people wrote, as token ids: it never becomes a control token."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import normalize

from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER
from functions.generate.prompts.tokenizer import BYTE_TOKENS, Tokenizer


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


class PlainTextEncoder:
    """Encodes what people wrote: it gives no special and no added token, white space excepted.

    A tokenizer that is asked to split special tokens still finds those that were added without being called special.
    It looks for some in its own form of the text, e.g. in lower case without accents, and a unigram model has them
    among its pieces. So the words are cut where they spell one, and where a token comes of them all the same.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        added = {token: str(details.content) for token, details in tokenizer.added_tokens_decoder.items()}
        special = {token for token, details in tokenizer.added_tokens_decoder.items() if details.special}
        self._never = (special | set(tokenizer.all_special_ids)) | {
            token for token, content in added.items() if not is_white_space(content)
        }
        """Ids. That of what a tokenizer can't write is among them: it is left out, there is nothing to cut."""
        self._unknown = {tokenizer.unk_token_id} - {None}
        self._bytes = {token: byte for byte, token in enumerate(map(self._id, BYTE_TOKENS)) if token is not None}
        speakers = (FIRST_SPEAKER, SECOND_SPEAKER)
        self._spellings = Spellings((*(added[token] for token in added.keys() & self._never), *BYTE_TOKENS, *speakers))

    def encode(self, text: str) -> list[int]:
        return [token for piece in self._spellings.cut(text) for token in self._tokens(piece)]

    def spell(self, text: str) -> bool:
        """Whether `text` spells the name of a token."""
        return len(list(self._spellings.cut(text))) > 1

    def is_unknown(self, token: int) -> bool:
        """Whether `token` stands for what the tokenizer can't write."""
        return token in self._unknown

    def is_control(self, token: int) -> bool:
        """Whether `token` is one that no words may become."""
        return token in self._never

    def has_others(self, tokens: Sequence[int], text: str) -> bool:
        """Whether a token is not of these words, but of a name that they spell."""
        if any(token in self._never and token not in self._unknown for token in tokens):
            return True
        found = Counter(self._bytes[token] for token in tokens if token in self._bytes)
        return bool(found) and bool(found - _bytes_of(text))

    def _tokens(self, text: str) -> list[int]:
        if not text:
            return []
        tokens = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        if len(text) > 1 and self.has_others(tokens, text):
            middle = len(text) // 2
            return self._tokens(text[:middle]) + self._tokens(text[middle:])
        return [token for token in tokens if token not in self._never]

    def _id(self, name: str) -> int | None:
        token = self._tokenizer.convert_tokens_to_ids(name)
        return None if token in self._unknown else token


def _bytes_of(text: str) -> Counter[int]:
    """How often each byte may come of `text`: a tokenizer may write one sign as the several that it stands for."""
    written, apart = (Counter(form.encode(errors="replace")) for form in (text, normalize("NFKC", text)))
    return written | apart


def is_white_space(content: str) -> bool:
    """Whether a token stands for nothing but white space, which tokenizers may write as U+2581."""
    return not content.replace("\u2581", " ").strip()
