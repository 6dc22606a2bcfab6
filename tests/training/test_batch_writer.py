"""Answers that are written side by side are those that the engine writes alone."""

import asyncio

import pytest
import torch

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.engines.transformers.engine import TransformersEngine
from functions.generate.models.card import ModelCard
from training.evaluation.batch_writer import BatchWriter

QUESTIONS = ["как дела?", "что ты делаешь? " * 12, "да", "How are you?", "кто там? " * 3, "где?", "а?", "о", "нет", "и"]


def asked(number):
    turns = [Turn(role=Role.USER, text=QUESTIONS[number])]
    greedy = number % 4 == 3
    return turns, Sampling(seed=number, temperature=0 if greedy else 0.9, max_new_tokens=24, top_k=number % 2 * 20)


async def alone(checkpoint, requests):
    engine = TransformersEngine(checkpoint, clock=SystemClock())
    try:
        return [(await engine.generate(turns, sampling)).text for turns, sampling in requests]
    finally:
        await engine.close()


@pytest.mark.parametrize("card", [{"format": "dialogue", "preamble": True}, {"format": "rudialogpt"}])
def test_answers_written_together_are_those_written_alone(tiny_model, tokenizer, card):
    """Drawn with the same seeds and greedy ones, after prompts of all lengths, more than fit into one batch."""
    with torch.no_grad():
        tiny_model.get_input_embeddings().weight.mul_(3)  # or every token is as likely as another
    checkpoint = Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", **card))
    requests = [asked(number) for number in range(len(QUESTIONS))]
    told = []
    found = BatchWriter(checkpoint, clock=SystemClock()).answers(requests, told.append)
    assert found == asyncio.run(alone(checkpoint, requests))
    assert len(set(found)) > 2
    assert sum(told) == len(requests)


def test_whoever_wants_it_to_end_is_heard_at_the_next_token(tiny_model, tokenizer):
    looks = []

    def done(_):
        looks.append(1)
        if len(looks) > 3:
            raise InterruptedError

    checkpoint = Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="dialogue"))
    with pytest.raises(InterruptedError):
        BatchWriter(checkpoint, clock=SystemClock()).answers([asked(0)], done)
    assert len(looks) == 4
