"""Small tokenizers of each kind, with added tokens of each kind; as transformers wraps them, and as the engines do."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from functions.generate.engines.serving_file import ServingInfo
from functions.generate.engines.tokens import FastTokenizer
from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER, FormatName

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<unk>", "<eos>", "<|im_start|>", "<|im_end|>", "<start_of_turn>", "<unused12>", "[MASK]"]
ADDED = [
    AddedToken("<start_of_image>", normalized=False),
    AddedToken("[multimodal]", normalized=False),
    AddedToken("<h1>", normalized=True),
    AddedToken("<left>", normalized=False, lstrip=True),
    AddedToken("<right>", normalized=False, rstrip=True),
    AddedToken("<both>", normalized=True, lstrip=True, rstrip=True),
    AddedToken("<word>", normalized=True, single_word=True),
    AddedToken("mask me", normalized=True),
    AddedToken("\n\n", normalized=False),
    AddedToken(FIRST_SPEAKER, normalized=False),
    AddedToken(SECOND_SPEAKER, normalized=False),
]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LETTERS = sorted({*string.printable, *"абвгдежзийклмнопрстуфхцчшщъыьэюяёПЕРВЫЙТОХГьм▁«»…"} - {"\n"})
CORPUS = ["Гость: как дела?\nТимоха: Хорошо, а у тебя?\n", "Guest: how are you?\nTimokha: Fine.\n", "<h1> mask me [x]"]


def byte_level() -> Tokenizer:
    """As GPT-2's and Qwen's."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    return raw


def whole_words() -> Tokenizer:
    """As Llama 3's: a word that is in the vocabulary is taken without looking at merges, and so are the added ones."""
    vocabulary = {token: number for number, token in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    for token in ("[", "]", "<pad>", "[MASK]", "<eos>", "[multimodal]", "<start_of_image>", "Ġ<eos>"):
        vocabulary.setdefault(token, len(vocabulary))
    raw = Tokenizer(models.BPE(vocabulary, [], ignore_merges=True))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    raw.decoder = decoders.ByteLevel()
    return raw


def bytes_for_the_rest() -> Tokenizer:
    """As Gemma's and Llama 2's."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *BYTES, *LETTERS, "▁▁"])}
    raw = Tokenizer(models.BPE(vocabulary, [("▁", "▁")], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    raw.normalizer = normalizers.Replace(" ", "▁")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return raw


def unigram() -> Tokenizer:
    """As T5's and XGLM's: special tokens, and the names of bytes, are pieces of the model like any other."""
    pieces = [*((token, 0.0) for token in (*SPECIAL, *BYTES)), *((letter, -5.0) for letter in LETTERS)]
    pieces += [("[multimodal]", -1.0), ("▁", -2.0)]
    raw = Tokenizer(models.Unigram(list(dict(pieces).items()), unk_id=0, byte_fallback=True))
    raw.normalizer = normalizers.NFKC()
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return raw


def word_piece() -> Tokenizer:
    """As BERT's: lower case, no accents, and what it doesn't know is unknown."""
    letters = sorted({letter.lower() for letter in LETTERS})
    words = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters), "mask", "[mask]"]
    raw = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    raw.normalizer, raw.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.WhitespaceSplit()
    raw.decoder = decoders.WordPiece()
    return raw


KINDS: dict[str, Callable[[], Tokenizer]] = {
    made.__name__: made for made in (byte_level, whole_words, bytes_for_the_rest, unigram, word_piece)
}


def with_added(raw: Tokenizer) -> Tokenizer:
    raw.add_special_tokens([token for token in SPECIAL if token != "<unk>" or raw.token_to_id(token) is not None])
    raw.add_tokens(ADDED)
    return raw


def wrapped(raw: Tokenizer) -> Any:
    """As transformers has it."""
    unknown = "<unk>" if raw.token_to_id("<unk>") is not None else None
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>", pad_token="<eos>", unk_token=unknown)
    made.chat_template = TEMPLATE
    return made


def served(directory: Path) -> FastTokenizer:
    """As the engine without transformers has it, from its `tokenizer.json` in `directory`."""
    described = ServingInfo(
        card=ModelCard(name="test", format=FormatName.CHAT),
        context=256,
        ends=(),
        special_tokens={"eos_token": "<eos>", "unk_token": "<unk>"},
        chat_template=TEMPLATE,
    )
    return FastTokenizer(directory, described)
