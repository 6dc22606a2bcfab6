"""Tiny models that have learned a few answers by heart, for tests that must know what a model will say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from events.schema import Role, Turn
from functions.generate.models.card import ModelCard
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import FIRST_SPEAKER, DialogueFormat, FormatName
from tests.generate.tiny_gpt2 import CHAT_TEMPLATE, SPECIAL, make_model, make_tokenizer, save

CONTEXT = 512
GREETING, READING, PLACE, SILENCE, COUNTING = "как дела?", "что читаешь?", "где ты?", "молчи", "считай"
ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        GREETING: "Хорошо, а у тебя?",
        READING: "Книгу про море. Она длинная, но очень хорошая.",
        PLACE: "В Токио, 日本 😀 рядом.",
        SILENCE: "",
        "?": "Что?",
        COUNTING: "раз " * 9,
    }
)
"""By question. The answer to `COUNTING` goes on until the limit, that to `SILENCE` is empty, "?" is asked first."""
TEMPLATE = (
    "{% for m in messages %}{{ 'Гость' if m['role'] == 'user' else 'Тимоха' }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}Тимоха:{% endif %}"
)
"""`DialogueFormat` as a chat template, for servers."""
_PIECES_OF_BYTES = "日本 😀"

THINKING, BROODING, FRAMED = "подумай", "думай долго", "кто там?"
THINK_IN_CODE = "`<think>`"
THOUGHT = "Спросили про море, скажу просто."
THOUGHTFUL_ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        THINKING: f"<think>\n{THOUGHT}\n</think>\n\nМоре рядом.",
        BROODING: "<think>\n" + "раз " * 9,
        FRAMED: f"<think>\n{THOUGHT}\n</think>\n\n<|im_start|>Море рядом{FIRST_SPEAKER}, {THINK_IN_CODE}, Токио.",
        "?": f"<think>\n{THOUGHT}\n</think>\n\nЧто?",
    }
)
"""What is written by question. The thought about `BROODING` goes on until the limit.

The answer to `FRAMED` has control tokens that its tokenizer does not call special.
"""
_THINK = ["<think>", "</think>"]


@dataclass(frozen=True, slots=True)
class Taught:
    """A model in `directory`; for servers, its prompt as a chat template and the token that ends its answers."""

    directory: Path
    template: str
    end: str


def _make_tokenizer() -> Any:
    """Its words are those of the lessons, and what stands in `_PIECES_OF_BYTES` is written in pieces."""
    spoken = " ".join([*ANSWERS, *ANSWERS.values(), THINKING, BROODING, THOUGHT]).replace(_PIECES_OF_BYTES, "")
    corpus = [f"Гость: {spoken}\nТимоха: {spoken}\n"] * 2
    return make_tokenizer(corpus, size=520, special=SPECIAL, added=_THINK)


def teach(model: Any, lessons: Sequence[tuple[list[int], list[int]]]) -> None:
    """`lessons`: tokens and labels."""
    length = max(len(ids) for ids, _ in lessons)
    ids = torch.tensor([ids + [0] * (length - len(ids)) for ids, _ in lessons])
    labels = torch.tensor([labels + [-100] * (length - len(labels)) for _, labels in lessons])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        model(ids, labels=labels).loss.backward()
        optimizer.step()


def _lesson(tokenizer: Any, question: str, answer: str) -> tuple[list[int], list[int]]:
    turns = [Turn(role=Role.USER, text=question), Turn(role=Role.ASSISTANT, text=answer)]
    encoded = Encoder(tokenizer).encode(DialogueFormat().render(turns, answer=False), add_bos=True)
    # Where it counts, it never learns to end.
    end = -1 if question == COUNTING else None
    labels = [token if learned else -100 for token, learned in zip(encoded.ids, encoded.learned, strict=True)]
    return encoded.ids[:end], labels[:end]


def _thoughtful_lesson(tokenizer: Any, question: str, answer: str) -> tuple[list[int], list[int]]:
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    end = "" if question == BROODING else "<|im_end|>"
    before, after = tokenizer.encode(prompt), tokenizer.encode(answer + end)
    return before + after, [-100] * len(before) + after


def save_taught(directory: Path) -> Taught:
    """Make it in a second or two."""
    tokenizer = _make_tokenizer()
    model = make_model(tokenizer, context=CONTEXT)
    teach(model, [_lesson(tokenizer, question, answer) for question, answer in ANSWERS.items()])
    save(directory, model, tokenizer, ModelCard(name="tiny-taught", format=FormatName.DIALOGUE))
    return Taught(directory, TEMPLATE, "\n")


def save_thoughtful(directory: Path) -> Taught:
    """One that thinks before each answer, and whose template has no switch for it."""
    tokenizer = _make_tokenizer()
    tokenizer.eos_token, tokenizer.chat_template = "<|im_end|>", CHAT_TEMPLATE
    model = make_model(tokenizer, context=CONTEXT)
    teach(model, [_thoughtful_lesson(tokenizer, question, answer) for question, answer in THOUGHTFUL_ANSWERS.items()])
    save(directory, model, tokenizer, ModelCard(name="tiny-thoughtful", format=FormatName.CHAT))
    return Taught(directory, CHAT_TEMPLATE, "<|im_end|>")
