"""The file that a tokenizer is loaded from is light, and the tokenizer the same."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers

from functions.generate.engines.gguf.merges import derive_merges
from functions.generate.engines.tokenizer_file import write

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = ["▁", "п", "р", "и", "в", "е", "т", "пр", "ри", "при", "ив", "рив", "вет", "ет", "привет", "▁при", "▁привет"]
VOCABULARY = {token: number for number, token in enumerate(["<unk>", "<end>", *BYTES, *reversed(WORDS), "\n", "🙂"])}
MERGES = derive_merges({token: -number for token, number in VOCABULARY.items()}).as_texts()


def gemma_like(**how: object) -> Tokenizer:
    raw = Tokenizer(models.BPE(VOCABULARY, MERGES, unk_token="<unk>", byte_fallback=True, fuse_unk=True, **how))
    raw.normalizer = normalizers.Replace(" ", "▁")
    raw.add_special_tokens(["<end>"])
    raw.add_tokens(["\n"])
    return raw


def again(raw: Tokenizer, directory: Path) -> Tokenizer:
    write(raw, directory)
    return Tokenizer.from_file(str(directory / "tokenizer.json"))


def test_the_tokens_of_all_texts_stay_the_same(tmp_path):
    raw = gemma_like()
    loaded = again(raw, tmp_path)
    assert loaded.get_vocab() == raw.get_vocab()

    @given(st.text(st.sampled_from(" приветx🙂\n<end>"), max_size=60))
    def same(text: str) -> None:
        assert loaded.encode(text).ids == raw.encode(text).ids

    same()
    for token in VOCABULARY:
        assert loaded.encode(token).ids == raw.encode(token).ids, token


def test_what_makes_loading_slow_is_not_written(tmp_path):
    write(gemma_like(), tmp_path)
    text = (tmp_path / "tokenizer.json").read_text(encoding="utf-8")
    model = json.loads(text)["model"]
    assert "\n" not in text
    assert list(model["vocab"]) == sorted(model["vocab"])
    assert len(model["merges"]) == len({left + right for left, right in MERGES}) < len(MERGES)


@pytest.mark.parametrize("parts", [("a", " b"), ("#version", "b")])
def test_merges_that_can_be_misread_are_written_as_pairs(parts, tmp_path):
    left, right = parts
    raw = Tokenizer(models.BPE({left: 0, right: 1, left + right: 2}, [(left, right)]))
    assert json.loads(again(raw, tmp_path).to_str()) == json.loads(raw.to_str())


@pytest.mark.parametrize("how", [{"dropout": 0.1}, {"end_of_word_suffix": "т"}])
def test_merges_that_are_more_than_their_spellings_are_left_alone(how, tmp_path):
    raw = Tokenizer(models.BPE({token: number for number, token in enumerate(WORDS)}, MERGES, **how))
    write(raw, tmp_path)
    model = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    assert [tuple(merge) for merge in model["merges"]] == MERGES


@pytest.mark.parametrize(
    "model",
    [
        models.Unigram([("<unk>", 0.0), ("б", -1.0), ("а", -2.0)], unk_id=0),
        models.WordPiece({"<unk>": 0, "б": 1, "а": 2}, unk_token="<unk>"),
        models.WordLevel({"<unk>": 0, "б": 1, "а": 2}, unk_token="<unk>"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_tokenizers_of_other_kinds_are_written_as_they_are(model, tmp_path):
    raw = Tokenizer(model)
    loaded = again(raw, tmp_path)
    assert json.loads(loaded.to_str()) == json.loads(raw.to_str())
