"""Turn a model's output into a message that can be sent."""

import re

from functions.generate.prompts.formats import may_be_label, without_label

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[»”\")]*+(?=\s|$)")
"""Possessive, so that a long run of dots is searched once."""
_LAST_WORD = re.compile(r"\s\S{0,24}\Z")
_HELD_BACK = 24
"""Characters at the end that may be an incomplete word, where no white space separates words."""
_QUOTES = {"«": "»", '"': '"', "“": "”", "„": "“"}


def tidy_answer(text: str, *, cut: bool) -> str:
    """Return `text` without a leading speaker label, quotes around it and broken characters.

    `cut`: the length limit ended it, so shorten it to its last whole sentence, or else its last whole word.
    """
    stripped = text.replace("\ufffd", "").strip()
    return _without_quotes(without_label(_without_incomplete_end(stripped) if cut else stripped).strip())


def partial_answer(text: str) -> str:
    """Return what can be shown of an unfinished answer: whole words with which `tidy_answer` will begin.

    Return an empty string while `text` may become a label or stand in quotes. If the length limit ends the answer,
    its last words may be removed again.
    """
    # Keep white space at the end: it shows that the last word is whole.
    written = text.replace("\ufffd", "").lstrip()
    if may_be_label(written):
        return ""
    answer = without_label(written).lstrip()
    closing = _QUOTES.get(answer[:1])
    if closing is not None and closing not in answer.rstrip()[1:-1]:
        return ""
    last = _LAST_WORD.search(answer)
    return (answer[: last.start()] if last else answer[:-_HELD_BACK]).rstrip()


def _without_incomplete_end(text: str) -> str:
    sentences = list(_SENTENCE_END.finditer(text))
    if sentences:
        return text[: sentences[-1].end()]
    words, _, _ = text.rpartition(" ")
    return f"{words.rstrip(' ,;:—-')}…" if words else text


def _without_quotes(text: str) -> str:
    """Remove quotes around the whole text, or an opening one that is never closed; keep quotes inside."""
    closing = _QUOTES.get(text[:1])
    if closing is None or closing in text[1:-1]:
        return text
    return text[1:].removesuffix(closing).strip()
