"""Which tokens a model for talk keeps of a large vocabulary."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from events.errors import SettingsError
from functions.generate.decoding.thoughts import THOUGHT_MARKS
from functions.generate.models import vocabulary
from functions.generate.models.vocabulary import tokens_to_keep

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TALK = ["\u2581привет", "Їжак", "ok\u2581ладно", "123", "?!", "\u2581\u2581\u2581", "😀", "❤\ufe0f", "ℹ", "₴", "\n\n"]
FIRST = ["\u2581the", "\u2581hello", "ing", "é"]
LATER = ["\u2581necessity", "getElementById"]
OTHERS = ["\u2581你好", "日本", "مرحبا", "αβγ", "a\u4e00", "<unused7>"]
SINGLE = ["a", "\u2581z", "ß"]
"""Last, as in Gemma's vocabulary."""
PIECES = [*BYTES, *FIRST, *TALK, *LATER, *OTHERS, *SINGLE]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A vocabulary of which the first words are enough."""
    monkeypatch.setattr(vocabulary, "MIN_VOCABULARY", 0)
    monkeypatch.setattr(vocabulary, "ENGLISH", tmp_path / "english.txt")
    vocabulary.ENGLISH.write_text("\n".join(FIRST), encoding="utf-8")


def tokenizer(pieces: list[str], decoder: Any) -> Any:
    raw = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, [], ignore_merges=True))
    raw.decoder = decoder
    return raw


def byte_fallback(pieces: list[str] = PIECES) -> Any:
    raw = tokenizer(pieces, decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback()]))
    raw.normalizer = normalizers.Replace(" ", "\u2581")
    return raw


def names(raw: Any, tokens: list[int] | None) -> set[str]:
    return {raw.id_to_token(token) for token in tokens or []}


def test_talk_keeps_cyrillic_what_has_no_letters_bytes_and_english() -> None:
    raw = byte_fallback()
    tokens = tokens_to_keep(raw, always=[], size=len(PIECES))
    assert names(raw, tokens) == {*BYTES, *TALK, *FIRST, *SINGLE}
    assert tokens == sorted(tokens or [])


def test_so_many_rows_are_filled_up_with_the_likeliest_english(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = byte_fallback()
    vocabulary.ENGLISH.write_text("\n".join([*FIRST, *LATER]), encoding="utf-8")
    monkeypatch.setattr(vocabulary, "KEPT_TOKENS", len(PIECES) - len(OTHERS) - 1)
    assert names(raw, tokens_to_keep(raw, always=[], size=len(PIECES))) == {*PIECES} - {*OTHERS, LATER[1]}


def test_ends_and_the_tokens_of_the_data_are_kept_and_those_beyond_the_model_are_not() -> None:
    raw = byte_fallback()
    always = [raw.token_to_id("日本"), raw.token_to_id("getElementById"), -1, len(PIECES), 10**9]
    assert names(raw, tokens_to_keep(raw, always=always, size=len(PIECES))) == {
        *(*BYTES, *TALK, *FIRST, *SINGLE),
        *("日本", "getElementById"),
    }


def test_added_tokens_and_what_the_marks_of_thoughts_are_written_with_are_kept() -> None:
    raw = byte_fallback([*PIECES, "\u4e00</think>"])
    raw.add_tokens([AddedToken("<开始>"), AddedToken("</think>"), AddedToken("<unused8>"), AddedToken("[THINK]")])
    found = names(raw, tokens_to_keep(raw, always=[], size=raw.get_vocab_size()))
    assert {"<开始>", "</think>", "[THINK]"} <= found
    assert not {"<unused8>", "\u4e00</think>"} & found


def test_a_byte_level_vocabulary_is_read_by_what_its_tokens_write() -> None:
    alphabet = [sign for sign, _ in sorted(vocabulary._alphabet().items(), key=lambda item: item[1])]
    signs = dict(enumerate(alphabet))

    def spelled(text: str, cut: int = 0) -> str:
        data = text.encode()
        return "".join(signs[byte] for byte in data[: len(data) - cut])

    first, talk = ["Ġthe"], [spelled(" привет"), spelled("😀"), spelled("😀", cut=1), spelled("…")]
    later, others = ["Ġnecessity"], [spelled("你好"), spelled("你好", cut=1)]
    pieces = [*alphabet, *first, *talk, *later, *others]
    raw = tokenizer(pieces, decoders.ByteLevel())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert names(raw, tokens_to_keep(raw, always=[], size=len(pieces))) == {*alphabet, *first, *talk}


@pytest.mark.parametrize(
    "raw",
    [
        byte_fallback(PIECES[1:]),
        tokenizer(PIECES, decoders.Metaspace()),
        tokenizer(PIECES, decoders.ByteLevel()),
        Tokenizer(models.BPE({piece: number for number, piece in enumerate(PIECES)}, [])),
    ],
    ids=["a byte missing", "no bytes", "not all bytes", "no decoder"],
)
def test_where_not_every_text_could_be_written_all_is_kept(raw: Any) -> None:
    assert tokens_to_keep(raw, always=[], size=raw.get_vocab_size()) is None


def test_a_small_vocabulary_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "MIN_VOCABULARY", len(PIECES) + 1)
    assert tokens_to_keep(byte_fallback(), always=[], size=len(PIECES)) is None


def test_nothing_is_narrowed_that_loses_nothing() -> None:
    pieces = [*BYTES, *TALK]
    assert tokens_to_keep(byte_fallback(pieces), always=[], size=len(pieces)) is None


@pytest.mark.parametrize("mark", [spelling for mark in THOUGHT_MARKS for spelling in (mark.opening, mark.closing)])
def test_every_mark_can_be_written(mark: str) -> None:
    raw = byte_fallback([*PIECES, *sorted(set(mark) - {*PIECES})])
    ids = raw.encode(mark, add_special_tokens=False).ids
    assert {*ids} <= {*(tokens_to_keep(raw, always=[], size=raw.get_vocab_size()) or range(len(PIECES) + 99))}


def test_used_tokens_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert vocabulary.read_used_tokens(tmp_path) == []
    vocabulary.write_used_tokens(tmp_path, [7, 3, 7])
    assert vocabulary.read_used_tokens(tmp_path) == [3, 7]


@pytest.mark.parametrize("content", [b"", b"{}", b'["x"]', b"\xff", b"null"])
def test_a_damaged_list_of_used_tokens_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / vocabulary.USED_TOKENS_FILE).write_bytes(content)
    with pytest.raises(SettingsError, match="no list of tokens") as caught:
        vocabulary.read_used_tokens(tmp_path)
    assert "\n" not in str(caught.value)
