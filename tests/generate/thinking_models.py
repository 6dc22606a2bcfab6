"""Tiny models that have learned to think before they answer, with marks that are tokens or are text."""

from pathlib import Path
from typing import Any

import torch

from functions.generate.card import ModelCard
from functions.generate.prompts import FormatName
from tests.generate.conftest import CHAT_TEMPLATE, make_model, make_tokenizer

QUESTION, ANSWER = "как дела?", "Хорошо, а у тебя?"
SECRET = "дела"
_WORDS = [SECRET] * 16
"""Of the thought; cut after any of them, it has been followed by the answer."""
OPENING_TEMPLATE = CHAT_TEMPLATE.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
_PROMPT = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"


def make_thinking(directory: Path, *, marks_are_tokens: bool) -> Path:
    """A model directory. With `OPENING_TEMPLATE`, the prompt opens the thought, and the model writes the rest of it."""
    tokenizer = make_tokenizer()
    if marks_are_tokens:
        tokenizer.add_tokens(["<think>", "</think>"])
    model = make_model(tokenizer)
    _teach(model, tokenizer)
    tokenizer.chat_template = CHAT_TEMPLATE
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    ModelCard(name="tiny-thinking", format=FormatName.CHAT).write(directory)
    return directory


def _teach(model: Any, tokenizer: Any) -> None:
    """Mostly long thoughts, so that it ends none before its time, and a few of each other length."""
    lengths = [*range(1, len(_WORDS)), *[len(_WORDS)] * len(_WORDS)]
    lessons = [f"{_PROMPT}<think>\n{' '.join(_WORDS[:length])}\n</think>\n\n{ANSWER}<|im_end|>" for length in lengths]
    batch = tokenizer(lessons, return_tensors="pt", padding=True, add_special_tokens=False)
    labels = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
    labels[:, : len(tokenizer.encode(_PROMPT, add_special_tokens=False))] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(input_ids=batch["input_ids"], labels=labels).loss.backward()
        optimizer.step()
