"""Tiny models that have learned to think before they answer, with marks that are tokens or are text."""

from pathlib import Path
from typing import Any

from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FormatName
from tests.generate.conftest import make_model, make_tokenizer
from tests.generate.lessons import teach
from tests.generate.tiny_gpt2 import CHAT_TEMPLATE, save

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
    return save(directory, model, tokenizer, ModelCard(name="tiny-thinking", format=FormatName.CHAT))


def _teach(model: Any, tokenizer: Any) -> None:
    """Mostly long thoughts, so that it ends none before its time, and a few of each other length, none included.

    The question up to six times over: what a test asks was learned, or its answer would depend on the processor.
    """
    lengths = [*range(len(_WORDS)), *[len(_WORDS)] * len(_WORDS)]
    longer = [(times, length) for times in range(2, 7) for length in (0, 8, len(_WORDS))]
    lessons = [*((1, length) for length in lengths), *longer]
    teach(model, [_lesson(tokenizer, _prompt(tokenizer, times), length) for times, length in lessons])


def _prompt(tokenizer: Any, times: int) -> list[int]:
    encoded: list[int] = tokenizer.encode(_PROMPT.replace(QUESTION, QUESTION * times), add_special_tokens=False)
    return encoded


def _lesson(tokenizer: Any, prompt: list[int], length: int) -> tuple[list[int], list[int]]:
    text = f"<think>\n{' '.join(_WORDS[:length])}\n</think>\n\n{ANSWER}<|im_end|>"
    written = tokenizer.encode(text, add_special_tokens=False)
    return prompt + written, [-100] * len(prompt) + written
