"""What a model wrote, made into a message that can be sent."""

import re

from functions.generate.prompts import without_label

_SENTENCE_END = re.compile(r"[.!?…]+[»”\")]*(?=\s|$)")
_QUOTES = {"«": "»", '"': '"', "“": "”", "„": "“"}


def tidy(text: str, *, cut: bool) -> str:
    """`text` without a leading speaker label, wrapping quotes and broken characters.

    `cut`: the length limit ended it, so it is shortened to its last whole sentence, or else its last whole word.
    """
    whole = text.replace("\ufffd", "").strip()
    return _unquoted(without_label(_whole(whole) if cut else whole).strip())


def _whole(text: str) -> str:
    sentences = list(_SENTENCE_END.finditer(text))
    if sentences:
        return text[: sentences[-1].end()]
    words, _, _ = text.rpartition(" ")
    return f"{words.rstrip(' ,;:—-')}…" if words else text


def _unquoted(text: str) -> str:
    """Quotes around everything go, and an opening one that is never closed; quotes inside stay."""
    closing = _QUOTES.get(text[:1])
    if closing is None or closing in text[1:-1]:
        return text
    return text[1:].removesuffix(closing).strip()
