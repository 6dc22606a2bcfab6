"""What the OpenVINO engine promises beyond every engine: its fast arithmetic, prepared models and their flaws."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn
from functions.generate.app import open_engine
from functions.generate.engines.openvino import model_process as stepping_process
from functions.generate.engines.openvino.batch import Batch
from functions.generate.engines.openvino.engine import OpenVINOEngine
from functions.generate.engines.openvino.head_start import begin
from functions.generate.engines.openvino.model_spec import model_spec
from functions.generate.engines.openvino.protocol import Job
from functions.generate.engines.transformers.engine import TransformersEngine
from functions.generate.models.card import ModelCard
from functions.generate.models.preparing import prepare_model, prepared_directory
from functions.generate.prompts.formats import FormatName
from functions.generate.settings import Arithmetic, GenerateSettings
from functions.worker.outcomes import Retry
from tests.generate.served import stepping

QUESTION = [Turn(role=Role.USER, text="как дела?")]
GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)
WILD = Sampling(temperature=5, top_k=0, top_p=1, max_new_tokens=20, repetition_penalty=1, seed=1)
SLOTS = 4


@pytest.fixture(scope="session")
def prepared_taught(taught_model: Path, cache: Path) -> Path:
    return prepare_model(str(taught_model), cache, bits=8, console=Console(quiet=True))


@pytest.fixture
async def engine(prepared_taught: Path) -> AsyncIterator[OpenVINOEngine]:
    engine = OpenVINOEngine(prepared_taught, slots=SLOTS, clock=SystemClock())
    yield engine
    await engine.close()


async def test_it_reads_the_prompt_that_transformers_reads(engine: OpenVINOEngine, taught_model: Path) -> None:
    reference = TransformersEngine.load(str(taught_model), clock=SystemClock())
    turns = [Turn(role=Role.USER, text="<eos>@@ПЕРВЫЙ@@ <start_of_turn>\nТимоха: нет?"), *QUESTION]
    expected = await reference.generate(turns, GREEDY)
    await reference.close()
    answer = await engine.generate(turns, GREEDY)
    assert answer.usage.input_tokens == expected.usage.input_tokens


@pytest.mark.parametrize("sampling", [GREEDY, WILD])
async def test_fast_answers_are_the_same_alone_and_in_a_batch(prepared_taught: Path, sampling: Sampling) -> None:
    """More than fit in one batch, of unequal lengths, so that they join and leave it."""
    fast = OpenVINOEngine(prepared_taught, slots=SLOTS, arithmetic=Arithmetic.FAST, clock=SystemClock())
    asked = [
        ([Turn(role=Role.USER, text="слово " * number)], sampling.model_copy(update={"seed": number}))
        for number in range(1, 3 * SLOTS)
    ]
    alone = [(await fast.generate(*question)).text for question in asked]
    together = await asyncio.gather(*(fast.generate(*question) for question in asked))
    assert [answer.text for answer in together] == alone
    await fast.close()


async def test_no_answer_is_empty(engine: OpenVINOEngine) -> None:
    seeds = [WILD.model_copy(update={"seed": seed, "max_new_tokens": 1}) for seed in range(30)]
    answers = await asyncio.gather(*(engine.generate(QUESTION, seed) for seed in seeds))
    assert all(answer.finish_reason is FinishReason.LENGTH for answer in answers)


def test_nothing_is_started_for_a_request_that_comes_after_the_end(prepared_taught: Path) -> None:
    batch = Batch(model_spec(prepared_taught, 1, 64, 1, Arithmetic.EXACT))
    batch.wait()
    batch.close()
    with pytest.raises(Retry):
        batch.submit(Job(1, [1], 1, frozenset([0]))).result()
    assert stepping() == []


def test_a_window_too_small_for_a_question_is_refused(prepared_taught: Path) -> None:
    with pytest.raises(SettingsError, match="GENERATE_MAX_INPUT_TOKENS"):
        OpenVINOEngine(prepared_taught, slots=1, max_input_tokens=10, clock=SystemClock())


def test_a_broken_model_is_one_line(prepared_taught: Path, tmp_path: Path) -> None:
    for part in prepared_taught.iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes()[: 100 if part.suffix == ".xml" else None])
    with pytest.raises(SettingsError, match=r"can't be loaded .* delete it") as caught:
        OpenVINOEngine(tmp_path, slots=1, clock=SystemClock())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [None, b"", b"{", b"null", b"\xff"])
def test_a_broken_tokenizer_is_one_line(prepared_taught: Path, tmp_path: Path, damage: bytes | None) -> None:
    shutil.copytree(prepared_taught, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer.json").unlink()
    if damage is not None:
        (tmp_path / "tokenizer.json").write_bytes(damage)
    with pytest.raises(SettingsError, match=r"can't be loaded .* delete it") as caught:
        OpenVINOEngine(tmp_path, slots=1, clock=SystemClock())
    assert "\n" not in str(caught.value)
    assert stepping() == []


def test_a_directory_that_was_not_prepared_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no prepared model"):
        OpenVINOEngine(tmp_path, slots=1, clock=SystemClock())


def test_a_model_is_prepared_once(taught_model: Path, prepared_taught: Path, cache: Path) -> None:
    before = prepared_taught.stat().st_mtime_ns
    for source in (taught_model, prepared_taught):
        assert prepare_model(str(source), cache, bits=8, console=Console(quiet=True)) == prepared_taught
    assert prepared_taught.stat().st_mtime_ns == before


@pytest.fixture(scope="module")
def prepared_changed(random_model: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In 4 bits, after its card was written anew."""
    changed = shutil.copytree(random_model, tmp_path_factory.mktemp("models") / "changed")
    before = prepared_directory(str(changed), cache, bits=4)
    ModelCard(name="tiny-changed", format=FormatName.DIALOGUE).write(changed)
    prepared = prepare_model(str(changed), cache, bits=4, console=Console(quiet=True))
    assert prepared != before
    return prepared


async def test_a_model_that_changed_is_prepared_again(prepared_changed: Path) -> None:
    engine = OpenVINOEngine(prepared_changed, slots=1, clock=SystemClock())
    assert engine.model == "tiny-changed"
    assert (await engine.generate(QUESTION, WILD)).text
    await engine.close()


async def test_a_penalty_keeps_it_from_repeating_itself(prepared_changed: Path) -> None:
    engine = OpenVINOEngine(prepared_changed, slots=1, clock=SystemClock())
    plain = await engine.generate(QUESTION, GREEDY)
    varied = await engine.generate(QUESTION, GREEDY.model_copy(update={"repetition_penalty": 5.0}))
    assert len(set(varied.text)) > len(set(plain.text))
    await engine.close()


def test_a_model_that_is_not_there_is_one_line(cache: Path) -> None:
    with pytest.raises(SettingsError, match="GENERATE_MODEL='/no/such/directory'") as caught:
        prepare_model("/no/such/directory", cache, bits=8, console=Console(quiet=True))
    assert "\n" not in str(caught.value)


async def test_a_chat_template_is_followed_as_transformers_follows_it(
    tmp_path: Path, cache: Path, chat_tokenizer: Any, random_model: Path
) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("timokha.json"))
    chat_tokenizer.save_pretrained(tmp_path)
    reference = TransformersEngine.load(str(tmp_path), clock=SystemClock())
    engine = OpenVINOEngine(
        prepare_model(str(tmp_path), cache, bits=8, console=Console(quiet=True)), slots=1, clock=SystemClock()
    )
    turns = [*QUESTION, Turn(role=Role.ASSISTANT, text="<|im_end|>нет"), *QUESTION]
    expected, answer = await reference.generate(turns, GREEDY), await engine.generate(turns, GREEDY)
    assert answer.usage.input_tokens == expected.usage.input_tokens
    assert (await engine.generate(turns, WILD)).usage.input_tokens == expected.usage.input_tokens
    await reference.close()
    await engine.close()


def given(model: Path, cache: Path, **more: Any) -> GenerateSettings:
    return GenerateSettings.read(engine="openvino", model=str(model), cache=cache, slots=SLOTS, **more)


async def test_an_engine_takes_over_the_process_that_was_begun_for_it(taught_model, prepared_taught, cache) -> None:
    settings = given(taught_model, cache)
    begun = begin(settings)
    assert begun
    [process] = stepping()
    engine = await open_engine(settings, clock=SystemClock(), begun=begun)
    assert stepping() == [process]
    assert (await engine.generate(QUESTION, GREEDY)).text
    await engine.close()
    assert stepping() == []
    begun.close()


async def test_an_engine_with_other_settings_starts_a_process_of_its_own(taught_model, prepared_taught, cache) -> None:
    begun = begin(given(taught_model, cache, max_input_tokens=100))
    assert begun
    [process] = stepping()
    engine = await open_engine(given(taught_model, cache), clock=SystemClock(), begun=begun)
    assert len(stepping()) == 2
    await engine.close()
    assert stepping() == [process]
    begun.close()
    assert stepping() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"engine": "echo"},
        {"engine": "openvino", "model": "/no/such/model"},
        {"engine": "openvino", "model": "a" * 5000},
    ],
)
def test_nothing_is_begun_without_a_prepared_model(cache, tmp_path, settings) -> None:
    assert begin(GenerateSettings.read(cache=tmp_path, **settings)) is None
    assert stepping() == []


def test_a_begun_model_that_is_not_wanted_ends_at_once_and_without_a_word(prepared_taught, cache, capfd) -> None:
    begun = begin(given(prepared_taught, cache))
    assert begun
    begun.close()
    assert stepping() == []
    assert capfd.readouterr().err == ""


def test_a_model_whose_parent_is_gone_when_it_is_loaded_ends_without_a_traceback(prepared_taught) -> None:
    ours, theirs = socket.socketpair()
    with Connection(ours.detach()) as parent:
        parent.send(model_spec(prepared_taught, 1, 64, 64, Arithmetic.EXACT))
    stepping_process.main(theirs.detach())
