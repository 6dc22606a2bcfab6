"""Choose the tokens of a large vocabulary that a model needs for conversation: the others only cost time.

Keep Cyrillic; whatever has no letters (digits, punctuation, white space, emoji); the tokens for single bytes, so that
every text can still be written; single Latin letters, and the tokens of the words in `english.txt`; and the tokens of
the data that the model was trained on, listed in its `used_tokens.json`.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category, name

from pydantic import TypeAdapter, ValidationError

from events.errors import SettingsError
from functions.generate.decoding.thoughts import THOUGHT_MARKS
from functions.generate.prompts.tokenizer import BYTE_TOKENS

RULE_VERSION = 2
"""Version of the choice; part of a prepared copy's name. Raise it when other tokens are kept."""
KEPT_TOKENS = 98_304
"""Tokens to keep: English gets what the others leave over."""
ENGLISH = Path(__file__).with_name("english.txt")
"""Words and parts of words, the most likely in English conversation first, a space as ▁: see `benchmarks.english`."""
MIN_VOCABULARY = 100_000
"""Keep a vocabulary with fewer tokens whole: its logits are a small part of a step."""
USED_TOKENS_FILE = "used_tokens.json"

_NEVER_TRAINED = re.compile(r"<unused\d+>")
_LETTERS = ("Lu", "Ll", "Lt", "Lo")
_LETTERLIKE = range(0x2100, 0x2150)
"""Signs such as ™ and ℹ, some of which Unicode calls letters."""
_TOKENS = TypeAdapter(list[int])


def read_used_tokens(model: Path) -> list[int]:
    """Return the tokens listed in the directory `model`; none without a list. Raises SettingsError if it is broken."""
    file = model / USED_TOKENS_FILE
    try:
        return _TOKENS.validate_json(file.read_bytes()) if file.is_file() else []
    except (OSError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise SettingsError(f"{file} is no list of tokens ({why}): delete it, or export the model again") from None


def write_used_tokens(model: Path, tokens: Iterable[int]) -> None:
    (model / USED_TOKENS_FILE).write_text(json.dumps(sorted(set(tokens))) + "\n", encoding="utf-8")


def tokens_to_keep(tokenizer: Any, *, always: Collection[int], size: int) -> list[int] | None:
    """Return the tokens to keep, in ascending order, or None to keep all `size` of them.

    `tokenizer` is a `tokenizers.Tokenizer`. `always`: the tokens that end an answer, special ones, and those of the
    owner's data. A vocabulary that is small, or has no tokens for single bytes, is kept whole.
    """
    pieces = {piece: token for piece, token in tokenizer.get_vocab(with_added_tokens=True).items() if token < size}
    texts = _texts(tokenizer, pieces)
    if size < MIN_VOCABULARY or texts is None:
        return None
    needed = {token for token in always if 0 <= token < size} | {*_added(tokenizer, pieces), *_marks(tokenizer)}
    needed |= {token for token, text in texts.items() if _is_kept(text)}
    english = [token for token in _english(tokenizer) if token < size and token not in needed]
    chosen = sorted(needed | set(english[: max(KEPT_TOKENS - len(needed), 0)]))
    return chosen if len(chosen) < size else None


def _texts(tokenizer: Any, pieces: dict[str, int]) -> dict[int, str] | None:
    """Return the text of each token; None if the tokens can't write every text byte by byte."""
    decoder = repr(tokenizer.decoder)
    if "ByteFallback" in decoder:
        spelled = {piece: piece.replace("\u2581", " ") for piece in pieces}
        single = dict.fromkeys(BYTE_TOKENS, "")
    elif "ByteLevel" in decoder:
        alphabet = _alphabet()
        spelled = {piece: _decoded(piece, alphabet) for piece in pieces}
        single = dict.fromkeys(alphabet, "")
    else:
        return None
    if not single.keys() <= pieces.keys():
        return None
    spelled |= single  # a byte shows no letter
    return {token: spelled[piece] for piece, token in pieces.items() if not _NEVER_TRAINED.fullmatch(piece)}


@cache
def _alphabet() -> dict[str, int]:
    """Return the signs that byte-level tokenizers write for bytes: printable ones as they are, others from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def _decoded(piece: str, alphabet: dict[str, int]) -> str:
    """Return the text of `piece`: an added token as it is, an incomplete character as nothing."""
    try:
        return bytes(alphabet[sign] for sign in piece).decode(errors="ignore")
    except KeyError:
        return piece


def _english(tokenizer: Any) -> list[int]:
    """Return the tokens that English is written with, the likeliest first, each once."""
    words = [line.replace("\u2581", " ") for line in ENGLISH.read_text(encoding="utf-8").splitlines()]
    encoded = tokenizer.encode_batch(words, add_special_tokens=False)
    return list(dict.fromkeys(token for word in encoded for token in word.ids))


def _added(tokenizer: Any, pieces: dict[str, int]) -> Iterator[int]:
    for added in tokenizer.get_added_tokens_decoder().values():
        if added.content in pieces and not _NEVER_TRAINED.fullmatch(added.content):
            yield pieces[added.content]


def _marks(tokenizer: Any) -> Iterator[int]:
    """Yield the tokens of the marks of thoughts."""
    for mark in THOUGHT_MARKS:
        for text in (mark.opening, mark.closing):
            yield from tokenizer.encode(text, add_special_tokens=False).ids


def _is_kept(text: str) -> bool:
    return _script(text) == "talk" or (is_latin(text) and len(text.strip()) == 1)


def is_latin(text: str) -> bool:
    """Return whether `text` has letters, all of them Latin."""
    return _script(text) == "latin"


def _script(text: str) -> str:
    """Return `talk` for what is always kept, `latin`, or `other`."""
    scripts = {script for script in map(_script_of, text) if script}
    if not scripts or "CYRILLIC" in scripts:
        return "talk"
    return "latin" if scripts == {"LATIN"} else "other"


@cache
def _script_of(sign: str) -> str:
    """Return the script of a letter, and nothing for another sign."""
    if category(sign) not in _LETTERS or ord(sign) in _LETTERLIKE:
        return ""
    return name(sign, "?").partition(" ")[0]
