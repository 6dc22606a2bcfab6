"""Which tokens a model for talk has to be able to write: the rest of a large vocabulary only costs time.

Kept are Cyrillic, whatever has no letters (digits, punctuation, white space, emoji), the tokens that stand for one
byte, so that nothing becomes impossible to write, and of Latin single letters and what `english.txt` is written with.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category, name

from functions.generate.decoding.byte_tokens import NAMES
from functions.generate.decoding.thoughts import MARKS

RULE = 2
"""Raise it when other tokens are kept."""
ROWS = 98_304
"""Tokens that are kept: English gets what the others leave."""
ENGLISH = Path(__file__).with_name("english.txt")
"""Words and parts of them, a space as ▁, by how likely they are in English talk: `python -m benchmarks.english`."""
SMALLEST = 100_000
"""Tokens. A smaller vocabulary is kept whole: its logits are a small part of a step."""

_NEVER_TRAINED = re.compile(r"<unused\d+>")
_LETTERS = ("Lu", "Ll", "Lt", "Lo")
_LETTERLIKE = range(0x2100, 0x2150)
"""Signs such as ™ and ℹ, some of which Unicode calls letters."""


def kept(tokenizer: Any, *, always: Collection[int], size: int) -> list[int] | None:
    """Return the tokens that talk needs, in ascending order, or None if all `size` tokens are to be kept.

    `tokenizer` is a `tokenizers.Tokenizer`. `always`: the tokens that end an answer, special ones, and those of the
    owner's data. All are kept where the vocabulary is small, or has no tokens for single bytes.
    """
    pieces = {piece: token for piece, token in tokenizer.get_vocab(with_added_tokens=True).items() if token < size}
    texts = _texts(tokenizer, pieces)
    if size < SMALLEST or texts is None:
        return None
    needed = {token for token in always if 0 <= token < size} | {*_added(tokenizer, pieces), *_marks(tokenizer)}
    needed |= {token for token, text in texts.items() if _is_kept(text)}
    english = [token for token in _english(tokenizer) if token < size and token not in needed]
    chosen = sorted(needed | set(english[: max(ROWS - len(needed), 0)]))
    return chosen if len(chosen) < size else None


def _texts(tokenizer: Any, pieces: dict[str, int]) -> dict[int, str] | None:
    """What each token writes; None if there are texts that the tokens can't write byte by byte."""
    decoder = repr(tokenizer.decoder)
    if "ByteFallback" in decoder:
        spelled = {piece: piece.replace("\u2581", " ") for piece in pieces}
        single = dict.fromkeys(NAMES, "")
    elif "ByteLevel" in decoder:
        alphabet = _alphabet()
        spelled = {piece: _decoded(piece, alphabet) for piece in pieces}
        single = dict.fromkeys(alphabet, "")
    else:
        return None
    if not single.keys() <= pieces.keys():
        return None
    spelled |= single  # of a byte no letter is to be seen
    return {token: spelled[piece] for piece, token in pieces.items() if not _NEVER_TRAINED.fullmatch(piece)}


@cache
def _alphabet() -> dict[str, int]:
    """The signs that byte-level tokenizers write for bytes: printable ones for themselves, others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def _decoded(piece: str, alphabet: dict[str, int]) -> str:
    """An added token stands for itself; of a character that is cut in the middle nothing is seen."""
    try:
        return bytes(alphabet[sign] for sign in piece).decode(errors="ignore")
    except KeyError:
        return piece


def _english(tokenizer: Any) -> list[int]:
    """The tokens that English is written with, the likeliest first, each once."""
    words = [line.replace("\u2581", " ") for line in ENGLISH.read_text(encoding="utf-8").splitlines()]
    encoded = tokenizer.encode_batch(words, add_special_tokens=False)
    return list(dict.fromkeys(token for word in encoded for token in word.ids))


def _added(tokenizer: Any, pieces: dict[str, int]) -> Iterator[int]:
    for added in tokenizer.get_added_tokens_decoder().values():
        if added.content in pieces and not _NEVER_TRAINED.fullmatch(added.content):
            yield pieces[added.content]


def _marks(tokenizer: Any) -> Iterator[int]:
    """What the marks of thoughts are written with."""
    for mark in MARKS:
        for text in (mark.opening, mark.closing):
            yield from tokenizer.encode(text, add_special_tokens=False).ids


def _is_kept(text: str) -> bool:
    return _script(text) == "talk" or (is_latin(text) and len(text.strip()) == 1)


def is_latin(text: str) -> bool:
    """Whether all its letters, of which there are some, are Latin ones."""
    return _script(text) == "latin"


def _script(text: str) -> str:
    """`talk` for what is always kept, `latin`, or `other`."""
    scripts = {script for script in map(_script_of, text) if script}
    if not scripts or "CYRILLIC" in scripts:
        return "talk"
    return "latin" if scripts == {"LATIN"} else "other"


@cache
def _script_of(sign: str) -> str:
    """Empty for what is no letter."""
    if category(sign) not in _LETTERS or ord(sign) in _LETTERLIKE:
        return ""
    return name(sign, "?").partition(" ")[0]
