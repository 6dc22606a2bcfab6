"""Encode what people wrote as token ids, never as control tokens."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import normalize

from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER
from functions.generate.prompts.tokenizer import BYTE_TOKENS, Tokenizer


class TokenNames:
    """Names of tokens: text that contains one is cut, so that it no longer spells it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name for name in names if len(name) > 1)
        lengths: dict[str, set[int]] = defaultdict(set)
        for name in self._names:
            lengths[name[0]].add(len(name))
        self._lengths = {first: sorted(some) for first, some in lengths.items()}
        firsts = "".join(map(re.escape, self._lengths))
        self._first = re.compile(f"[{firsts}]" if firsts else r"(?!)")

    def cut(self, text: str) -> Iterator[str]:
        """Yield `text` in pieces that contain none of the names."""
        start = 0
        for found in self._first.finditer(text):
            place = found.start()
            if any(text[place : place + length] in self._names for length in self._lengths[found[0]]):
                yield text[start : place + 1]
                start = place + 1
        yield text[start:]


class PlainTextEncoder:
    """Encodes what people wrote without special and added tokens, except those for white space.

    A tokenizer that splits special tokens still finds added ones that are not marked as special. It looks for some in
    its normalized text, e.g. in lower case without accents, and a unigram model has them among its pieces. So text is
    cut where it spells such a token, and halved where one appears nevertheless.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        added = {token: str(details.content) for token, details in tokenizer.added_tokens_decoder.items()}
        special = {token for token, details in tokenizer.added_tokens_decoder.items() if details.special}
        self._never = (special | set(tokenizer.all_special_ids)) | {
            token for token, content in added.items() if not is_white_space(content)
        }
        """Ids to leave out, including the unknown token's."""
        self._unknown = {tokenizer.unk_token_id} - {None}
        self._bytes = {token: byte for byte, token in enumerate(map(self._id, BYTE_TOKENS)) if token is not None}
        speakers = (FIRST_SPEAKER, SECOND_SPEAKER)
        self._token_names = TokenNames(
            (*(added[token] for token in added.keys() & self._never), *BYTE_TOKENS, *speakers)
        )

    def encode(self, text: str) -> list[int]:
        return [token for piece in self._token_names.cut(text) for token in self._tokens(piece)]

    def contains_name(self, text: str) -> bool:
        """Return whether `text` contains the name of a token."""
        return len(list(self._token_names.cut(text))) > 1

    def is_unknown(self, token: int) -> bool:
        """Return whether `token` is the unknown token."""
        return token in self._unknown

    def is_control(self, token: int) -> bool:
        """Return whether `token` must not come from people's text."""
        return token in self._never

    def has_foreign(self, tokens: Sequence[int], text: str) -> bool:
        """Return whether one of `tokens` is a control token, or a byte that `text` does not contain."""
        if any(token in self._never and token not in self._unknown for token in tokens):
            return True
        found = Counter(self._bytes[token] for token in tokens if token in self._bytes)
        return bool(found) and bool(found - _bytes_of(text))

    def _tokens(self, text: str) -> list[int]:
        if not text:
            return []
        tokens = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        if len(text) > 1 and self.has_foreign(tokens, text):
            middle = len(text) // 2
            return self._tokens(text[:middle]) + self._tokens(text[middle:])
        return [token for token in tokens if token not in self._never]

    def _id(self, name: str) -> int | None:
        token = self._tokenizer.convert_tokens_to_ids(name)
        return None if token in self._unknown else token


def _bytes_of(text: str) -> Counter[int]:
    """Return how often each byte may occur in the tokens of `text`, which a tokenizer may normalize (NFKC)."""
    written, normalized = (Counter(form.encode(errors="replace")) for form in (text, normalize("NFKC", text)))
    return written | normalized


def is_white_space(content: str) -> bool:
    """Return whether a token is only white space, which tokenizers may write as U+2581."""
    return not content.replace("\u2581", " ").strip()
