"""GGUF files with a tokenizer and no weights, written without torch and transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CORPUS = [
    "Привет! Как дела? Хорошо, спасибо, а у тебя? Тоже неплохо, вчера был в кино.",
    "Hello! How are you? Fine, thanks, and you? It's 2024, isn't it?  What is the capital of France? Paris.",
    "Привіт! Як справи? Добре, дякую.  Ёлка стояла в 12345 углу.",
]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
NORMAL, UNKNOWN, CONTROL, DEFINED, BYTE = 1, 2, 3, 4, 6
Token = tuple[str, int]
END, TURN = ("<|endoftext|>", CONTROL), ("<|im_end|>", CONTROL)
PIECES_FIRST = [("<pad>", CONTROL), ("<eos>", CONTROL), ("<bos>", CONTROL), ("<unk>", UNKNOWN)]
GEMMA_ADDED = [
    ("<start_of_turn>", CONTROL),
    ("<end_of_turn>", CONTROL),
    ("\n", DEFINED),
    ("\n\n", DEFINED),
    ("<h1>", DEFINED),
]


def byte_level(
    path: Path, split: str, *, added: Sequence[Token] = (END, TURN, ("<think>", DEFINED)), **more: Any
) -> Path:
    """As Qwen's and Llama 3's; `more` takes the place of what `tokenizer.ggml.…` says, None leaves it out."""
    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learning.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    )
    words = _words(learning)
    known = set(words)
    merges = [
        f"{word[:cut]} {word[cut:]}"
        for word in words
        for cut in range(1, len(word))
        if {word[:cut], word[cut:]} <= known
    ]
    tokens = [*((word, NORMAL) for word in words), *added]
    said = {"model": "gpt2", "pre": split, "merges": merges, "eos_token_id": len(words), **more}
    return _write(path, "llama" if split != "qwen2" else "qwen2", tokens, said)


def pieces(path: Path, architecture: str, *, spaces: str = "▁", **more: Any) -> Path:
    """As Gemma's (tokens in the order of their merges) and Llama 2's (scores)."""
    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    learning.train_from_iterator(
        [text.replace(" ", "▁") for text in CORPUS], trainers.BpeTrainer(vocab_size=500, show_progress=False)
    )
    words = [word for word in _words(learning) if word.strip("▁")]
    first = [*PIECES_FIRST, *GEMMA_ADDED, *((byte, BYTE) for byte in BYTES)]
    tokens = [*first, *((spaces * many, NORMAL) for many in (2, 3)), ("▁", NORMAL), *((word, NORMAL) for word in words)]
    scores = [-float(number) for number in range(len(tokens))]
    said = {"model": "llama", "pre": "default", "scores": scores, "bos_token_id": 2, "eos_token_id": 1}
    return _write(path, architecture, tokens, {**said, "unknown_token_id": 3, "padding_token_id": 0, **more})


def _words(learning: Tokenizer) -> list[str]:
    vocabulary = learning.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _write(path: Path, architecture: str, tokens: Sequence[Token], said: dict[str, Any]) -> Path:
    out = gguf.GGUFWriter(path, architecture)
    out.add_array("tokenizer.ggml.tokens", [token for token, _ in tokens])
    out.add_array("tokenizer.ggml.token_type", [kind for _, kind in tokens])
    adders = {str: out.add_string, bool: out.add_bool, list: out.add_array}
    for key, value in said.items():
        if value is not None:
            full = key if "." in key else f"tokenizer.ggml.{key}"
            adders.get(type(value), out.add_uint32)(full, value)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path
