"""What a model wrote, made into a message that can be sent."""

import re

from functions.generate.prompts.formats import may_be_label, without_label

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[»”\")]*+(?=\s|$)")
"""Looked for once in a run of dots, however long it is."""
_LAST_WORD = re.compile(r"\s\S{0,24}\Z")
_HELD_BACK = 24
"""Characters, where there is no white space to tell words apart."""
_QUOTES = {"«": "»", '"': '"', "“": "”", "„": "“"}


def tidy_answer(text: str, *, cut: bool) -> str:
    """`text` without a leading speaker label, wrapping quotes and broken characters.

    `cut`: the length limit ended it, so it is shortened to its last whole sentence, or else its last whole word.
    """
    whole = text.replace("\ufffd", "").strip()
    return _unquoted(without_label(_whole(whole) if cut else whole).strip())


def partial_answer(text: str) -> str:
    """What can be shown of an answer that is still being written: the whole words of `tidy`'s start.

    Empty while it may turn out to be a label or to stand in quotes. An answer that the length limit ends may lose
    its last words again.
    """
    # White space at its end stays: it tells that the last word is whole.
    written = text.replace("\ufffd", "").lstrip()
    if may_be_label(written):
        return ""
    spoken = without_label(written).lstrip()
    closing = _QUOTES.get(spoken[:1])
    if closing is not None and closing not in spoken.rstrip()[1:-1]:
        return ""
    last = _LAST_WORD.search(spoken)
    return (spoken[: last.start()] if last else spoken[:-_HELD_BACK]).rstrip()


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
