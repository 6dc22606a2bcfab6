"""Build the tokenizer of a GGUF file that `gguf.kinds` accepts, without torch and transformers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from functions.generate.engines.gguf.header import Header, UnreadableGGUF, read_header
from functions.generate.engines.gguf.kinds import BYTE_LEVEL, SPLITS
from functions.generate.engines.gguf.merges import BYTE, Merge, Merges, derive_merges, drop_unused_merges, index_merges

_PREFIX: Final = "tokenizer.ggml."
_TOKENS, _KINDS, _SCORES, _MERGES = (f"{_PREFIX}{name}" for name in ("tokens", "token_type", "scores", "merges"))
LISTS: Final = (_TOKENS, _KINDS, _SCORES, _MERGES)
"""Lists that must be kept when the header of a file is read, to build its tokenizer."""
_CONTROL, _USER_DEFINED = 3, 4
"""Kinds of tokens that are matched whole in a text."""
_SPECIAL: Final = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}
_ENDS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_ENDS_BY_NAME: Final = {
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
}
"""Names of control tokens that end a turn, whatever end the file names."""
_LETTERS: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
)
_CONTRACTIONS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS: Final = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_EXPRESSIONS: Final[Mapping[str, str]] = {
    "llama3": _CONTRACTIONS + r"|\p{N}{1,3}" + _SIGNS,
    "qwen2": _CONTRACTIONS + r"|\p{N}" + _SIGNS,
    "tekken": _LETTERS + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""Parts of a text that are merged separately, by a rule of `SPLITS`; other rules use GPT-2's."""
_WITH_BEGINNING: Final = {"llama3"}
"""Rules whose tokenizers begin a text with a token unless the file says otherwise."""
_WHOLE_WORDS: Final = {"llama3", "tekken"}
"""Rules whose tokenizers keep a word that is a token, whatever the merges would give."""


@dataclass(frozen=True, slots=True)
class GGUFTokenizer:
    """A tokenizer, and the file's metadata about it."""

    raw: Any
    """A `tokenizers.Tokenizer`."""
    special_tokens: Mapping[str, str]
    """Those of `bos_token`, `eos_token`, `unk_token` and `pad_token` that the file has."""
    ends: tuple[int, ...]
    """The tokens that end an answer: those that the file names, and well-known ones."""
    chat_template: str | None


def read_tokenizer(path: Path) -> GGUFTokenizer:
    """Build the tokenizer of the file at `path`. Raises UnreadableGGUF, after the file's name, or OSError."""
    return build_tokenizer(read_header(path, whole=LISTS))


def build_tokenizer(header: Header) -> GGUFTokenizer:
    """Build a tokenizer from a header read with `whole=LISTS`. Raises UnreadableGGUF, after the file's name."""
    try:
        return _build(header)
    except UnreadableGGUF:
        raise
    except Exception as error:  # what tokenizers raises is just that
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableGGUF(
            f"has a tokenizer that can't be built ({why[:100]}): download or convert it again"
        ) from error


def _build(header: Header) -> GGUFTokenizer:
    metadata = header.metadata
    special = _special_tokens(metadata)
    byte_level = metadata[f"{_PREFIX}model"] == BYTE_LEVEL
    split = SPLITS[metadata[f"{_PREFIX}pre"]] if byte_level else None
    if split:
        raw = _build_byte_level(metadata, split)
    elif header.architecture == "gemma3":
        raw = _build_gemma(metadata, special.get("unk_token", "<unk>"))
    else:
        raw = _build_sentencepiece(metadata)
    _add_whole_tokens(raw, metadata, special)
    begins = metadata.get(f"{_PREFIX}add_bos_token", split in _WITH_BEGINNING if split else True)
    raw.post_processor = _beginning(raw, special.get("bos_token") if begins else None)
    return GGUFTokenizer(raw, special, _ends(metadata, raw, special), metadata.get("tokenizer.chat_template"))


def _special_tokens(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the special tokens by transformers' names; numbers beyond the vocabulary are ignored."""
    tokens: Sequence[str] = metadata[_TOKENS]
    numbers = {name: metadata.get(f"{_PREFIX}{key}") for name, key in _SPECIAL.items()}
    return {name: tokens[token] for name, token in numbers.items() if token is not None and 0 <= token < len(tokens)}


def _build_byte_level(metadata: Mapping[str, Any], split: str) -> Any:
    """Build a tokenizer like GPT-2's, Qwen's and Llama 3's, with a sign for each byte."""
    if _MERGES not in metadata:
        raise UnreadableGGUF("has a tokenizer without merges: convert the model again")
    vocabulary = {_to_byte_signs(token, kind): number for number, (token, kind) in enumerate(_with_kinds(metadata))}
    whole = split in _WHOLE_WORDS
    raw: Any = Tokenizer(
        models.BPE(
            vocabulary, drop_unused_merges(_merges_of_file(metadata)).as_texts(), fuse_unk=False, ignore_merges=whole
        )
    )
    if split in _EXPRESSIONS:
        parts: Any = pre_tokenizers.Split(Regex(_EXPRESSIONS[split]), "isolated")
        words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        raw.pre_tokenizer = pre_tokenizers.Sequence([parts, words])
    elif split == "digits":
        parts, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.pre_tokenizer = pre_tokenizers.Sequence([parts, words])
    else:
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if split == "qwen2":
        raw.normalizer = normalizers.NFC()
    raw.decoder = decoders.ByteLevel()
    return raw


def _build_gemma(metadata: Mapping[str, Any], unknown: str) -> Any:
    """Build Gemma's tokenizer; without merges in the file, they follow the order of tokens, not their scores."""
    # The file has tokens of several spaces as such, but in texts a sign replaces each space.
    names = ["▁" * len(token) if token and not token.strip(" ") else token for token in metadata[_TOKENS]]
    vocabulary = {name: number for number, name in enumerate(names)}
    merges = (
        _merges_of_file(metadata)
        if _MERGES in metadata
        else derive_merges({name: -number for name, number in vocabulary.items()})
    )
    known = {"unk_token": unknown} if unknown in vocabulary else {}
    raw: Any = Tokenizer(
        models.BPE(vocabulary, _usable_merges(merges, names), fuse_unk=True, byte_fallback=True, **known)
    )
    raw.normalizer = normalizers.Replace(" ", "▁")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return raw


def _build_sentencepiece(metadata: Mapping[str, Any]) -> Any:
    """Build a tokenizer like Llama 2's, which puts a space before a text unless the file says otherwise."""
    tokens = metadata[_TOKENS]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    merges = (
        _merges_of_file(metadata)
        if _MERGES in metadata
        else derive_merges(dict(zip(tokens, metadata[_SCORES], strict=True)))
    )
    raw: Any = Tokenizer(models.BPE(vocabulary, _usable_merges(merges, tokens), fuse_unk=True, byte_fallback=True))
    spaced = bool(metadata.get(f"{_PREFIX}add_space_prefix", True))
    first = [normalizers.Prepend("▁")] if spaced else []
    raw.normalizer = normalizers.Sequence([*first, normalizers.Replace(" ", "▁")])
    strip = [decoders.Strip(" ", 1, 0)] if spaced else []
    fused = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    raw.decoder = decoders.Sequence([*fused, *strip])
    return raw


def _merges_of_file(metadata: Mapping[str, Any]) -> Merges:
    merges: list[Merge] = []
    for merge in metadata[_MERGES]:
        left, right = merge.split(" ")
        merges.append((left, right))
    return index_merges(merges)


def _usable_merges(merges: Merges, tokens: Sequence[str]) -> list[Merge]:
    return drop_unused_merges(merges, {token for token in tokens if BYTE.fullmatch(token)}).as_texts()


def _with_kinds(metadata: Mapping[str, Any]) -> list[tuple[str, int]]:
    tokens = metadata[_TOKENS]
    kinds = metadata.get(_KINDS) or [1] * len(tokens)
    return list(zip(tokens, kinds, strict=True))


def _to_byte_signs(token: str, kind: int) -> str:
    """Return `token` in byte signs; some files have ordinary tokens as plain text."""
    if kind in {_CONTROL, _USER_DEFINED} or _SIGNS_OF_BYTES.issuperset(token):
        return token
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(token)[0][0]


_SIGNS_OF_BYTES: Final = frozenset(pre_tokenizers.ByteLevel.alphabet())


def _add_whole_tokens(raw: Any, metadata: Mapping[str, Any], special: Mapping[str, str]) -> None:
    """Make `raw` match control tokens and user-defined tokens whole in a text."""
    added = _with_kinds(metadata)
    controls = dict.fromkeys([*(token for token, kind in added if kind == _CONTROL and token), *special.values()])
    raw.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in controls])
    words = [token for token, kind in added if kind == _USER_DEFINED and token and raw.token_to_id(token) is not None]
    raw.add_tokens([AddedToken(token, normalized=False, special=False) for token in words if token not in controls])


def _beginning(raw: Any, bos: str | None) -> Any:
    """Return a post-processor that puts the token `bos`, if any, before each text."""
    one = f"{bos} $A" if bos else "$A"
    special = [(bos, raw.token_to_id(bos))] if bos else []
    return processors.TemplateProcessing(single=one, pair=f"{one} $B", special_tokens=special)


def _ends(metadata: Mapping[str, Any], raw: Any, special: Mapping[str, str]) -> tuple[int, ...]:
    numbers = (metadata.get(f"{_PREFIX}{name}") for name in _ENDS)
    named = {int(token) for token in numbers if token is not None and 0 <= token < len(metadata[_TOKENS])}
    controls = {token.content for token in raw.get_added_tokens_decoder().values() if token.special}
    return tuple(sorted(named | {raw.token_to_id(token) for token in (controls | {*special.values()}) & _ENDS_BY_NAME}))
