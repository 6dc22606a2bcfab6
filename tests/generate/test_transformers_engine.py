"""What the transformers engine promises beyond every engine: the state of torch, and what is wrong with a model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.transformers.checkpoints import Checkpoint, load_checkpoint
from functions.generate.engines.transformers.engine import TransformersEngine
from functions.generate.models.card import CARD_FILE

QUESTION = [Turn(role=Role.USER, text="как дела?")]
GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)
WILD = Sampling(temperature=5, top_k=0, top_p=1, max_new_tokens=20, repetition_penalty=1, seed=1)


@pytest.fixture(scope="module")
def checkpoint(random_model: Path) -> Checkpoint:
    return load_checkpoint(str(random_model))


@pytest.fixture
async def random(checkpoint: Checkpoint) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(checkpoint, clock=SystemClock())
    yield engine
    await engine.close()


async def test_the_global_random_state_is_left_alone(random: TransformersEngine) -> None:
    before = torch.random.get_rng_state()
    await random.generate(QUESTION, WILD)
    assert torch.equal(before, torch.random.get_rng_state())


async def test_a_penalty_keeps_it_from_repeating_itself(random: TransformersEngine) -> None:
    plain = await random.generate(QUESTION, GREEDY)
    varied = await random.generate(QUESTION, GREEDY.model_copy(update={"repetition_penalty": 5.0}))
    assert len(set(varied.text)) > len(set(plain.text))


def test_a_model_without_a_card_is_known_by_its_tokenizer(model_without_card: Path) -> None:
    loaded = load_checkpoint(str(model_without_card))
    assert (loaded.card.name, loaded.card.format) == ("no-card", "rudialogpt")


@pytest.mark.parametrize("source", ["/no/such/directory", "./missing.gguf", "nonsense", ""])
def test_a_missing_model_is_one_line_that_says_what_to_give(source: str) -> None:
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*give a model directory") as caught:
        load_checkpoint(source)
    assert repr(source) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_that_holds_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*can't be loaded.*give a model directory") as caught:
        load_checkpoint(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_broken_weights_are_one_line(random_model: Path, tmp_path: Path) -> None:
    for part in random_model.iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes()[: 100 if part.suffix == ".safetensors" else None])
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*can't be loaded") as caught:
        load_checkpoint(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_broken_gguf_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF?")
    with pytest.raises(SettingsError, match=r"GENERATE_MODEL=.*is a GGUF file of a version that can't be read"):
        load_checkpoint(str(tmp_path / "model.gguf"))


def test_a_broken_card_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / CARD_FILE).write_text('{"name": "x", "format": "poem"}')
    with pytest.raises(SettingsError, match=f"{CARD_FILE} is no model card"):
        load_checkpoint(str(tmp_path))


def test_a_hub_that_can_not_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SettingsError, match="GENERATE_MODEL='tinkoff-ai/ruDialoGPT-medium' can't be loaded") as caught:
        load_checkpoint("tinkoff-ai/ruDialoGPT-medium")
    assert "\n" not in str(caught.value)


def test_a_window_too_small_for_a_question_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(SettingsError, match="GENERATE_MAX_INPUT_TOKENS"):
        TransformersEngine(checkpoint, max_input_tokens=10, clock=SystemClock())
