"""How often the fast engine writes what float32 would: of 200 questions, the first 20 tokens, greedily.

The reference is shown what the engine wrote and asked for its own choice at each place: the same up to the first
difference, and far quicker than generating. It says how the arithmetic differs, not whether the answers are worse.
"""

import copy
import itertools
from pathlib import Path
from typing import Any

import torch

from events.schema import Role, Turn
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import Job, ModelSpec
from functions.generate.prompts.encoding import Encoder
from functions.generate.settings import Arithmetic

NEW, SLOTS, END = 20, 16, "\n"
RUSSIAN = (
    [
        "Что ты думаешь про",
        "Расскажи про",
        "Ты любишь",
        "Где найти",
        "Зачем нужен",
        "Как выбрать",
        "Сколько стоит",
        "Когда лучше покупать",
        "Почему все говорят про",
        "Что лучше:",
    ],
    [
        "кофе",
        "новый телефон",
        "велосипед",
        "зимний отпуск",
        "старое кино",
        "домашний хлеб",
        "большой город",
        "рыбалку",
        "собаку",
        "шахматы",
        "хорошую книгу",
    ],
)
ENGLISH = (
    [
        "What do you think about",
        "Tell me about",
        "Do you like",
        "Where can I find",
        "Why do people need",
        "How do I choose",
        "What is",
        "When should I buy",
        "Why does everybody talk about",
    ],
    [
        "coffee",
        "a new phone",
        "a bicycle",
        "winter holidays",
        "old movies",
        "home-made bread",
        "big cities",
        "fishing",
        "a dog",
        "chess",
    ],
)
QUESTIONS = [f"{start} {what}?" for some in (RUSSIAN, ENGLISH) for start, what in itertools.product(*some)]


def measure(checkpoint: Any, directory: Path, arithmetic: Arithmetic) -> dict[str, float]:
    """`checkpoint` is the model in float32, `directory` the same one prepared."""
    prompts = _prompts(checkpoint)
    asked = max(map(len, prompts))
    written = _written(model_spec(directory, SLOTS, asked, asked + NEW, arithmetic), prompts)
    end: int = checkpoint.tokenizer.encode(END, add_special_tokens=False)[-1]
    same = [_agreed(ours, theirs) for ours, theirs in zip(written, _choices(checkpoint, prompts, written), strict=True)]
    to_the_end = [number > ours.index(end) if end in ours else number == NEW for number, ours in same]
    return {
        "greedy_agreement": sum(number == NEW for number, _ in same) / len(same),
        "greedy_agreement_to_the_answers_end": sum(to_the_end) / len(same),
    }


def _prompts(checkpoint: Any) -> list[list[int]]:
    form = checkpoint.card.prompt_format(lambda: None)
    encoder = Encoder(checkpoint.tokenizer)
    turns = [[Turn(role=Role.USER, text=question)] for question in QUESTIONS]
    return [encoder.encode(form.render(turn), add_bos=True).ids for turn in turns]


def _written(model: ModelSpec, prompts: list[list[int]]) -> list[list[int]]:
    batch = Batch(model)
    batch.wait()
    futures = [batch.submit(Job(number, prompt, NEW, frozenset())) for number, prompt in enumerate(prompts, 1)]
    try:
        return [future.result().tokens for future in futures]
    finally:
        batch.close()


def _choices(checkpoint: Any, prompts: list[list[int]], written: list[list[int]]) -> list[list[int]]:
    """The reference's choice after the prompt and each of the tokens. What prompts share is read once."""
    choices = []
    shared: list[int] = []
    with torch.inference_mode():
        for number, (prompt, tokens) in enumerate(zip(prompts, written, strict=True)):
            if prompt[: len(shared)] != shared or not shared:
                alike = [other for other in prompts[number:] if other[:32] == prompt[:32]]
                shared = [
                    ids[0] for ids in itertools.takewhile(lambda ids: len(set(ids)) == 1, zip(*alike, strict=False))
                ]
                start = checkpoint.model(torch.tensor([shared]), use_cache=True).past_key_values
            rest = torch.tensor([[*prompt[len(shared) :], *tokens[:-1]]])
            logits = checkpoint.model(rest, past_key_values=copy.deepcopy(start), logits_to_keep=len(tokens)).logits
            choices.append(logits[0].argmax(-1).tolist())
    return choices


def _agreed(ours: list[int], theirs: list[int]) -> tuple[int, list[int]]:
    """How many tokens from the first on, and the tokens."""
    return next((place for place, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), len(ours)), ours
