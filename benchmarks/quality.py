"""How near the fast engine comes to float32 on the default model: `python -m benchmarks.quality [exact|fast] [8|4]`.

- Greedy: of 200 questions, the share whose first 20 tokens are the same as transformers chooses. The reference is shown
  what the engine wrote and asked for its own choice at each place: the same up to the first difference, and far quicker
  than generating.
- The mean log-likelihood of a text that no part of this saw, by how much it differs.

Prints JSON.
"""

import copy
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from rich.console import Console

from events.schema import Role, Turn
from functions.generate.default_model import prepare_default_model
from functions.generate.encoding import Encoder
from functions.generate.engines.arithmetic import computing
from functions.generate.engines.batch import Batch
from functions.generate.engines.checkpoints import load
from functions.generate.engines.jobs import Job, Model
from functions.generate.engines.openvino import served
from functions.generate.engines.quiet_openvino import ov
from functions.generate.prepared import prepared_model
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
TEXT = Path(__file__).parents[1] / "README.md"
TEXT_TOKENS = 700
"""More than the model's sliding window."""


def measure(arithmetic: Arithmetic, bits: int) -> dict[str, float | str | int]:
    cache, console = user_cache_path("timokha"), Console(stderr=True)
    directory = prepared_model(None, cache, bits=bits, console=console)
    checkpoint = load(str(prepare_default_model(cache, console=console)), dtype=torch.float32)
    prompts = _prompts(checkpoint)
    asked = max(map(len, prompts))
    written = _written(served(directory, SLOTS, asked, asked + NEW, arithmetic), prompts)
    end: int = checkpoint.tokenizer.encode(END, add_special_tokens=False)[-1]
    same = [_agreed(ours, theirs) for ours, theirs in zip(written, _choices(checkpoint, prompts, written), strict=True)]
    to_the_end = [number > ours.index(end) if end in ours else number == NEW for number, ours in same]
    text = checkpoint.tokenizer.encode(TEXT.read_text(encoding="utf-8"))[:TEXT_TOKENS]
    reference, ours = (
        _likelihood(_torch_logits(checkpoint, text), text),
        _likelihood(_openvino_logits(directory, arithmetic, text), text),
    )
    return {
        "arithmetic": arithmetic.value,
        "bits": bits,
        "questions": len(prompts),
        "greedy_agreement": sum(number == NEW for number, _ in same) / len(same),
        "greedy_agreement_to_the_answers_end": sum(to_the_end) / len(same),
        "log_likelihood_difference": abs(ours / reference - 1),
    }


def _prompts(checkpoint: Any) -> list[list[int]]:
    form = checkpoint.card.prompt_format(lambda: None)
    encoder = Encoder(checkpoint.tokenizer)
    turns = [[Turn(role=Role.USER, text=question)] for question in QUESTIONS]
    return [encoder.encode(form.render(turn), begin=True).ids for turn in turns]


def _written(model: Model, prompts: list[list[int]]) -> list[list[int]]:
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


def _torch_logits(checkpoint: Any, text: list[int]) -> Any:
    with torch.inference_mode():
        return checkpoint.model(torch.tensor([text])).logits[0]


def _openvino_logits(directory: Path, arithmetic: Arithmetic, text: list[int]) -> Any:
    compiled = ov.Core().compile_model(directory / "openvino_model.xml", "CPU", computing(arithmetic).properties)
    result = compiled(
        {
            "input_ids": np.array([text]),
            "attention_mask": np.ones((1, len(text)), dtype=np.int64),
            "position_ids": np.arange(len(text))[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
        }
    )
    return torch.from_numpy(result["logits"][0])


def _likelihood(logits: Any, text: list[int]) -> float:
    chosen = torch.log_softmax(logits[:-1].float(), -1)[torch.arange(len(text) - 1), torch.tensor(text[1:])]
    return float(chosen.mean())


if __name__ == "__main__":
    chosen = Arithmetic(sys.argv[1]) if len(sys.argv) > 1 else Arithmetic.EXACT
    print(json.dumps(measure(chosen, int(sys.argv[2]) if len(sys.argv) > 2 else 8)))  # noqa: T201, PLR2004 -- for engines.py
