"""The original's decoding on tiny models: beams that sample, and one of three answers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn
from functions.generate.engines.transformers.checkpoints import load_checkpoint
from functions.generate.engines.transformers.engine import TransformersEngine, pick_answer
from functions.generate.settings import GenerateSettings

QUESTION = [Turn(role=Role.USER, text="как дела?")]
ASKED = Sampling(max_new_tokens=12, seed=1)


@pytest.fixture
async def engine(random_model: Path) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(load_checkpoint(str(random_model)), beams=True, clock=SystemClock())
    yield engine
    await engine.close()


async def test_a_seed_decides_the_answer_and_temperature_does_not(engine: TransformersEngine) -> None:
    texts = [
        (await engine.generate(QUESTION, ASKED.model_copy(update=changed))).text
        for changed in ({}, {"temperature": 0}, {"seed": 2}, {"seed": 3})
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


async def test_it_stops_at_the_line_end_or_at_the_length_that_was_asked_for(
    engine: TransformersEngine, taught_model: Path
) -> None:
    cut = await engine.generate(QUESTION, ASKED.model_copy(update={"max_new_tokens": 3}))
    assert (cut.finish_reason, cut.usage.output_tokens) == (FinishReason.LENGTH, 3)
    taught = TransformersEngine.load(str(taught_model), beams=True, clock=SystemClock())
    answer = await taught.generate(QUESTION, ASKED.model_copy(update={"max_new_tokens": 60}))
    await taught.close()
    assert answer.finish_reason is FinishReason.STOP
    assert "\n" not in answer.text


async def test_cancelled_it_makes_room_for_the_next(engine: TransformersEngine) -> None:
    long = asyncio.create_task(engine.generate(QUESTION, ASKED.model_copy(update={"max_new_tokens": 400})))
    await asyncio.sleep(0)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert (await engine.generate(QUESTION, ASKED)).text


def test_the_drawn_answer_ends_where_its_padding_begins() -> None:
    output = torch.tensor([[9, 9, 5, 6, 0, 0], [9, 9, 7, 0, 0, 0], [9, 9, 1, 2, 3, 4]])
    answers = {tuple(pick_answer(output, 2, [0], seed)) for seed in range(20)}
    assert answers == {(5, 6, 0), (7, 0), (1, 2, 3, 4)}


def test_an_engine_without_beams_refuses_them_in_one_line() -> None:
    with pytest.raises(SettingsError, match=r"^GENERATE_DECODING=original needs GENERATE_ENGINE=transformers"):
        GenerateSettings.read(decoding="original")
    assert GenerateSettings.read(decoding="original", engine="transformers").decoding == "original"
