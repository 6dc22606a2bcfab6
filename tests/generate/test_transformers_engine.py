"""The transformers engine on tiny models: sampling, stopping, trimming, cancelling, and what can't be loaded."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn
from functions.generate.card import FILE_NAME
from functions.generate.engines import transformers as engine_module
from functions.generate.engines.checkpoints import Checkpoint, load
from functions.generate.engines.transformers import TransformersEngine

QUESTION = [Turn(role=Role.USER, text="как дела?")]
GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)
WILD = Sampling(temperature=5, top_k=0, top_p=1, max_new_tokens=20, repetition_penalty=1, seed=1)


@pytest.fixture
async def taught(taught_model: Path) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine.load(str(taught_model), clock=SystemClock())
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def checkpoint(random_model: Path) -> Checkpoint:
    return load(str(random_model))


@pytest.fixture
async def random(checkpoint: Checkpoint) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(checkpoint, clock=SystemClock())
    yield engine
    await engine.close()


async def test_it_answers_what_was_learned_and_stops_at_the_line_end(taught: TransformersEngine) -> None:
    answer = await taught.generate(QUESTION, GREEDY)
    assert answer.text == "Хорошо, а у тебя?"
    assert answer.finish_reason is FinishReason.STOP
    assert answer.usage.input_tokens > 0
    assert 0 < answer.usage.output_tokens < GREEDY.max_new_tokens
    assert taught.model == "tiny-taught"
    assert taught.provider == "transformers"


async def test_the_length_limit_is_told_and_kept(taught: TransformersEngine) -> None:
    answer = await taught.generate(QUESTION, GREEDY.model_copy(update={"max_new_tokens": 3}))
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage.output_tokens == 3


async def test_greedy_needs_no_seed(random: TransformersEngine) -> None:
    one = await random.generate(QUESTION, GREEDY)
    other = await random.generate(QUESTION, GREEDY.model_copy(update={"seed": 9}))
    assert one.text == other.text


async def test_a_seed_decides_the_answer(random: TransformersEngine) -> None:
    answers = [await random.generate(QUESTION, WILD.model_copy(update={"seed": seed})) for seed in (1, 2, 1)]
    assert answers[0].text == answers[2].text != answers[1].text


async def test_concurrent_requests_do_not_change_one_anothers_answers(random: TransformersEngine) -> None:
    seeds = [WILD.model_copy(update={"seed": seed}) for seed in range(4)]
    alone = [(await random.generate(QUESTION, seed)).text for seed in seeds]
    together = await asyncio.gather(*(random.generate(QUESTION, seed) for seed in seeds))
    assert [answer.text for answer in together] == alone


async def test_the_global_random_state_is_left_alone(random: TransformersEngine) -> None:
    before = torch.random.get_rng_state()
    await random.generate(QUESTION, WILD)
    assert torch.equal(before, torch.random.get_rng_state())


async def test_a_long_conversation_fits_the_context(random: TransformersEngine) -> None:
    turns = [Turn(role=role, text="слово " * 200) for _ in range(20) for role in Role]
    answer = await random.generate([*turns, *QUESTION], WILD)
    assert answer.usage.input_tokens + answer.usage.output_tokens <= 256


async def test_an_old_turn_that_does_not_fit_changes_nothing(random: TransformersEngine) -> None:
    old = Turn(role=Role.USER, text="слово " * 500)
    assert (await random.generate([old, *QUESTION], GREEDY)).text == (await random.generate(QUESTION, GREEDY)).text


async def test_the_input_limit_is_kept(checkpoint: Checkpoint) -> None:
    engine = TransformersEngine(checkpoint, max_input_tokens=64, clock=SystemClock())
    answer = await engine.generate([Turn(role=Role.USER, text="слово " * 500)], WILD)
    assert 50 < answer.usage.input_tokens <= 64
    await engine.close()


async def test_more_tokens_than_the_context_holds_are_not_asked_for(random: TransformersEngine) -> None:
    answer = await random.generate(QUESTION, WILD.model_copy(update={"max_new_tokens": 4096}))
    assert answer.usage.input_tokens + answer.usage.output_tokens <= 256


async def test_a_cancelled_request_stops_at_the_next_token(checkpoint: Checkpoint) -> None:
    engine = TransformersEngine(checkpoint, clock=SystemClock())
    steps, begun, go_on = [0], threading.Event(), threading.Event()

    def step(*_: Any) -> None:
        steps[0] += 1
        begun.set()
        assert go_on.wait(30)

    hook = checkpoint.model.register_forward_hook(step)
    try:
        task = asyncio.create_task(engine.generate(QUESTION, WILD))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        go_on.set()
        hook.remove()
    await engine.close()
    assert steps == [1]


def test_a_model_without_a_card_is_known_by_its_tokenizer(model_without_card: Path) -> None:
    loaded = load(str(model_without_card))
    assert (loaded.card.name, loaded.card.format) == ("no-card", "rudialogpt")


@pytest.mark.parametrize("source", ["/no/such/directory", "./missing.gguf", "nonsense", ""])
def test_a_missing_model_is_one_line_that_says_what_to_give(source: str) -> None:
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*give a model directory") as caught:
        load(source)
    assert repr(source) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_that_holds_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*can't be loaded.*give a model directory") as caught:
        load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_broken_weights_are_one_line(random_model: Path, tmp_path: Path) -> None:
    for part in random_model.iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes()[: 100 if part.suffix == ".safetensors" else None])
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*can't be loaded") as caught:
        load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_broken_gguf_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF?")
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*can't be loaded"):
        load(str(tmp_path / "model.gguf"))


def test_a_broken_card_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / FILE_NAME).write_text('{"name": "x", "format": "poem"}')
    with pytest.raises(SettingsError, match=f"{FILE_NAME} is no model card"):
        load(str(tmp_path))


def test_a_hub_that_can_not_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SettingsError, match="GENERATE_MODEL='tinkoff-ai/ruDialoGPT-medium' can't be loaded") as caught:
        load("tinkoff-ai/ruDialoGPT-medium")
    assert "\n" not in str(caught.value)


def test_a_window_too_small_for_a_question_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(SettingsError, match="GENERATE_MAX_INPUT_TOKENS"):
        TransformersEngine(checkpoint, max_input_tokens=10, clock=SystemClock())


async def test_it_shows_what_it_has_written_so_far(taught: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "INTERVAL", 0.0)
    shown: list[str] = []

    async def progressed(text: str) -> None:
        shown.append(text)

    answer = await taught.generate(QUESTION, GREEDY, progressed=progressed)
    assert {"Хорошо,", "Хорошо, а у"} <= set(shown)
    assert all(answer.text.startswith(text) for text in shown)
