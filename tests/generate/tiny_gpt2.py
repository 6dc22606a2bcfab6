"""Tiny GPT-2s and their tokenizers, for tests in which the architecture does not matter."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<eos>", "<|im_start|>", "<|im_end|>")


def make_tokenizer(corpus: Sequence[str], *, size: int, special: Sequence[str], added: Sequence[str] = ()) -> Any:
    """Byte-level, so it can write any text; the speaker tokens are added without being special, as they may be."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(corpus, trainer)
    raw.add_tokens([FIRST_SPEAKER, SECOND_SPEAKER, *added])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<eos>", eos_token="<eos>", pad_token="<eos>")


def make_model(tokenizer: Any, *, context: int) -> Any:
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=context,
        n_embd=64,
        n_layer=2,
        n_head=2,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return GPT2LMHeadModel(config)


def save(directory: Path, model: Any, tokenizer: Any, card: ModelCard | None) -> Path:
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    if card is not None:
        card.write(directory)
    return directory
