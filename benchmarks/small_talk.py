"""Two models answer the same small talk, to be read blind: `python -m benchmarks.small_talk ONE TWO DIRECTORY`.

ONE and TWO are model directories, or `default`. `sheet.md` has each question's two answers in a drawn order; mark them
there, and look into `key.json` only then: it says whose answer was the left one.
"""

import json
import sys
from pathlib import Path
from random import Random

import torch
from platformdirs import user_cache_path
from rich.console import Console

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.models.preparing import prepare_default_checkpoint
from training.evaluation.batch_writer import BatchWriter

QUESTIONS = """\
Привет!
Привет, как дела?
Доброе утро!
Что делаешь?
Как тебя зовут?
Ты кто?
Сколько тебе лет?
Откуда ты?
Ты где сейчас?
Чем занимаешься по жизни?
Как прошёл день?
Как настроение?
Ты спишь?
Что нового?
Ты любишь кофе?
Чай или кофе?
Что ел на завтрак?
Что приготовить на ужин?
Ты умеешь готовить?
Какой твой любимый фильм?
Что посоветуешь посмотреть вечером?
Какую музыку ты слушаешь?
Ты читаешь книги?
Какая погода у вас?
Ты любишь зиму?
Куда поедешь летом?
Море или горы?
У тебя есть кошка?
Тебе нравятся собаки?
Ты женат?
У тебя есть дети?
Ты веришь в любовь?
Почему ты грустный?
Мне скучно.
Мне грустно сегодня.
Я устал на работе.
Я купил машину!
Завтра у меня экзамен, боюсь.
Я заболел.
У меня сегодня день рождения!
Пойдём гулять?
Может, сходим в кино?
Когда встретимся?
Ты мне завтра позвонишь?
Одолжи денег до завтра.
Спасибо за помощь!
Извини, я опоздал.
Ты дурак?
Расскажи что-нибудь смешное.
Спокойной ночи!
""".splitlines()


def main(one: str, two: str, directory: str) -> None:
    pairs = list(zip(_answers(one), _answers(two), strict=True))
    draw = Random(0)  # noqa: S311 -- an order, no secret
    first_is_left = [draw.random() < 0.5 for _ in pairs]  # noqa: PLR2004 -- a coin
    lines = ["| question | left | right |", "| --- | --- | --- |"]
    for question, (ours, theirs), straight in zip(QUESTIONS, pairs, first_is_left, strict=True):
        left, right = (ours, theirs) if straight else (theirs, ours)
        lines.append(f"| {question} | {left} | {right} |")
    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    (out / "sheet.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "key.json").write_text(json.dumps([one if straight else two for straight in first_is_left]) + "\n")


def _answers(source: str) -> list[str]:
    if source == "default":
        source = str(prepare_default_checkpoint(user_cache_path("timokha"), console=Console(stderr=True)))
    asked = [([Turn(role=Role.USER, text=question)], Sampling(seed=seed)) for seed, question in enumerate(QUESTIONS)]
    return BatchWriter(load_checkpoint(source, dtype=torch.float32), clock=SystemClock()).answers(asked)


if __name__ == "__main__":
    main(*sys.argv[1:])
