"""The OpenVINO engine on tiny models: the promises of the transformers engine, and those of a shared batch."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn
from functions.generate.card import ModelCard
from functions.generate.engines import openvino as engine_module
from functions.generate.engines.openvino import OpenVINOEngine
from functions.generate.engines.transformers import TransformersEngine
from functions.generate.prepared import prepared_model
from functions.generate.prompts import FormatName
from functions.generate.settings import Arithmetic
from functions.verdicts import Retry

QUESTION = [Turn(role=Role.USER, text="как дела?")]
GREEDY = Sampling(temperature=0, max_new_tokens=40, repetition_penalty=1)
WILD = Sampling(temperature=5, top_k=0, top_p=1, max_new_tokens=20, repetition_penalty=1, seed=1)
SLOTS = 4


def stepping() -> list[psutil.Process]:
    """The processes that run a model."""
    return [child for child in psutil.Process().children() if any("stepping" in part for part in child.cmdline())]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def prepared_taught(taught_model: Path, cache: Path) -> Path:
    return prepared_model(str(taught_model), cache, bits=8, console=Console(quiet=True))


@pytest.fixture(scope="session")
def prepared_random(random_model: Path, cache: Path) -> Path:
    return prepared_model(str(random_model), cache, bits=8, console=Console(quiet=True))


@pytest.fixture
async def taught(prepared_taught: Path) -> AsyncIterator[OpenVINOEngine]:
    engine = OpenVINOEngine(prepared_taught, slots=SLOTS, clock=SystemClock())
    yield engine
    await engine.close()


@pytest.fixture
async def random(prepared_random: Path) -> AsyncIterator[OpenVINOEngine]:
    engine = OpenVINOEngine(prepared_random, slots=SLOTS, clock=SystemClock())
    yield engine
    await engine.close()


async def test_it_answers_what_was_learned_and_stops_at_the_line_end(taught: OpenVINOEngine) -> None:
    answer = await taught.generate(QUESTION, GREEDY)
    assert answer.text == "Хорошо, а у тебя?"
    assert answer.finish_reason is FinishReason.STOP
    assert answer.usage.input_tokens > 0
    assert 0 < answer.usage.output_tokens < GREEDY.max_new_tokens
    assert answer.prompt_seconds > 0
    assert answer.generation_seconds > 0
    assert taught.model == "tiny-taught"
    assert taught.provider == "openvino"


async def test_the_length_limit_is_told_and_kept(taught: OpenVINOEngine) -> None:
    answer = await taught.generate(QUESTION, GREEDY.model_copy(update={"max_new_tokens": 3}))
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage.output_tokens == 3


async def test_it_reads_the_prompt_that_transformers_reads(taught: OpenVINOEngine, taught_model: Path) -> None:
    reference = TransformersEngine.load(str(taught_model), clock=SystemClock())
    turns = [Turn(role=Role.USER, text="<eos>@@ПЕРВЫЙ@@ <start_of_turn>\nТимоха: нет?"), *QUESTION]
    expected = await reference.generate(turns, GREEDY)
    await reference.close()
    answer = await taught.generate(turns, GREEDY)
    assert answer.usage.input_tokens == expected.usage.input_tokens
    assert answer.text == expected.text


async def test_greedy_needs_no_seed(random: OpenVINOEngine) -> None:
    one = await random.generate(QUESTION, GREEDY)
    other = await random.generate(QUESTION, GREEDY.model_copy(update={"seed": 9}))
    assert one.text == other.text


async def test_a_seed_decides_the_answer(random: OpenVINOEngine) -> None:
    answers = [await random.generate(QUESTION, WILD.model_copy(update={"seed": seed})) for seed in (1, 2, 1)]
    assert answers[0].text == answers[2].text != answers[1].text


@pytest.mark.parametrize("sampling", [GREEDY, WILD])
@pytest.mark.parametrize("arithmetic", Arithmetic)
async def test_answers_are_the_same_alone_and_in_a_batch(
    prepared_random: Path, arithmetic: Arithmetic, sampling: Sampling
) -> None:
    """More than fit in one batch, of unequal lengths, so that they join and leave it."""
    random = OpenVINOEngine(prepared_random, slots=SLOTS, clock=SystemClock(), arithmetic=arithmetic)
    asked = [
        ([Turn(role=Role.USER, text="слово " * number)], sampling.model_copy(update={"seed": number}))
        for number in range(1, 3 * SLOTS)
    ]
    alone = [(await random.generate(*question)).text for question in asked]
    together = await asyncio.gather(*(random.generate(*question) for question in asked))
    assert [answer.text for answer in together] == alone
    await random.close()


async def test_no_answer_is_empty(random: OpenVINOEngine) -> None:
    seeds = [WILD.model_copy(update={"seed": seed, "max_new_tokens": 1}) for seed in range(30)]
    answers = await asyncio.gather(*(random.generate(QUESTION, seed) for seed in seeds))
    assert all(answer.finish_reason is FinishReason.LENGTH for answer in answers)


async def test_a_penalty_keeps_it_from_repeating_itself(random: OpenVINOEngine) -> None:
    plain = await random.generate(QUESTION, GREEDY)
    varied = await random.generate(QUESTION, GREEDY.model_copy(update={"repetition_penalty": 5}))
    assert len(set(varied.text)) > len(set(plain.text))


async def test_a_long_conversation_fits_the_context(random: OpenVINOEngine) -> None:
    turns = [Turn(role=role, text="слово " * 200) for _ in range(20) for role in Role]
    answer = await random.generate([*turns, *QUESTION], WILD)
    assert answer.usage.input_tokens + answer.usage.output_tokens <= 256


async def test_more_tokens_than_the_context_holds_are_not_asked_for(random: OpenVINOEngine) -> None:
    answer = await random.generate(QUESTION, WILD.model_copy(update={"max_new_tokens": 4096}))
    assert answer.usage.input_tokens + answer.usage.output_tokens <= 256


async def test_a_cancelled_request_leaves_and_the_others_go_on(prepared_random: Path) -> None:
    engine = OpenVINOEngine(prepared_random, slots=1, clock=SystemClock())
    long = asyncio.create_task(engine.generate(QUESTION, WILD.model_copy(update={"max_new_tokens": 128})))
    await asyncio.sleep(0)
    next_one = asyncio.create_task(engine.generate(QUESTION, WILD))
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert (await next_one).text
    await engine.close()


async def test_closing_drops_what_is_being_written(prepared_random: Path) -> None:
    engine = OpenVINOEngine(prepared_random, slots=1, clock=SystemClock())
    task = asyncio.create_task(engine.generate(QUESTION, WILD.model_copy(update={"max_new_tokens": 128})))
    await asyncio.sleep(0.01)
    await engine.close()
    assert task.cancelled() or (await asyncio.wait({task}, timeout=30))[0]


async def test_a_model_process_that_was_killed_is_started_again(prepared_taught: Path) -> None:
    engine = OpenVINOEngine(prepared_taught, slots=1, clock=SystemClock())
    [process] = stepping()
    process.kill()
    process.wait(30)
    for _ in range(2):
        with suppress(Retry):
            answer = await engine.generate(QUESTION, GREEDY)
    assert answer.text == "Хорошо, а у тебя?"
    await engine.close()
    assert stepping() == []


async def test_a_request_in_a_killed_process_is_tried_again(prepared_random: Path) -> None:
    engine = OpenVINOEngine(prepared_random, slots=1, clock=SystemClock())
    task = asyncio.create_task(engine.generate(QUESTION, WILD.model_copy(update={"max_new_tokens": 128})))
    await asyncio.sleep(0)
    [process] = stepping()
    process.kill()
    with pytest.raises(Retry):
        await task
    await engine.close()


async def test_a_fast_batch_answers_too(prepared_taught: Path) -> None:
    engine = OpenVINOEngine(prepared_taught, slots=SLOTS, clock=SystemClock(), arithmetic=Arithmetic.FAST)
    assert (await engine.generate(QUESTION, GREEDY)).text == "Хорошо, а у тебя?"
    await engine.close()


def test_a_window_too_small_for_a_question_is_refused(prepared_random: Path) -> None:
    with pytest.raises(SettingsError, match="GENERATE_MAX_INPUT_TOKENS"):
        OpenVINOEngine(prepared_random, slots=1, clock=SystemClock(), max_input_tokens=10)


def test_a_broken_model_is_one_line(prepared_random: Path, tmp_path: Path) -> None:
    for part in prepared_random.iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes()[: 100 if part.suffix == ".xml" else None])
    with pytest.raises(SettingsError, match=r"can't be loaded .* delete it") as caught:
        OpenVINOEngine(tmp_path, slots=1, clock=SystemClock())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [None, b"", b"{", b"null", b"\xff"])
def test_a_broken_tokenizer_is_one_line(prepared_random: Path, tmp_path: Path, damage: bytes | None) -> None:
    shutil.copytree(prepared_random, tmp_path, dirs_exist_ok=True)
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


def test_a_model_is_prepared_once(random_model: Path, prepared_random: Path, cache: Path) -> None:
    before = prepared_random.stat().st_mtime_ns
    for source in (random_model, prepared_random):
        assert prepared_model(str(source), cache, bits=8, console=Console(quiet=True)) == prepared_random
    assert prepared_random.stat().st_mtime_ns == before


async def test_a_model_that_changed_is_prepared_again(random_model: Path, prepared_random: Path, cache: Path) -> None:
    card = ModelCard(name="tiny-random", format=FormatName.DIALOGUE)
    try:
        card.model_copy(update={"name": "tiny-changed"}).write(random_model)
        changed = prepared_model(str(random_model), cache, bits=4, console=Console(quiet=True))
    finally:
        card.write(random_model)
    assert changed != prepared_random
    engine = OpenVINOEngine(changed, slots=1, clock=SystemClock())
    assert engine.model == "tiny-changed"
    assert (await engine.generate(QUESTION, WILD)).text
    await engine.close()


def test_a_model_that_is_not_there_is_one_line(cache: Path) -> None:
    with pytest.raises(SettingsError, match="GENERATE_MODEL='/no/such/directory'") as caught:
        prepared_model("/no/such/directory", cache, bits=8, console=Console(quiet=True))
    assert "\n" not in str(caught.value)


async def test_a_chat_template_is_followed_as_transformers_follows_it(
    tmp_path: Path, cache: Path, chat_tokenizer: Any, random_model: Path
) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("timokha.json"))
    chat_tokenizer.save_pretrained(tmp_path)
    reference = TransformersEngine.load(str(tmp_path), clock=SystemClock())
    engine = OpenVINOEngine(
        prepared_model(str(tmp_path), cache, bits=8, console=Console(quiet=True)), slots=1, clock=SystemClock()
    )
    turns = [*QUESTION, Turn(role=Role.ASSISTANT, text="<|im_end|>нет"), *QUESTION]
    expected, answer = await reference.generate(turns, GREEDY), await engine.generate(turns, GREEDY)
    assert answer.usage.input_tokens == expected.usage.input_tokens
    assert (await engine.generate(turns, WILD)).usage.input_tokens == expected.usage.input_tokens
    await reference.close()
    await engine.close()


async def test_it_shows_what_it_has_written_so_far(taught: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "INTERVAL", 0.0)
    shown: list[str] = []

    async def progressed(text: str) -> None:
        shown.append(text)

    answer = await taught.generate(QUESTION, GREEDY, progressed=progressed)
    assert {"Хорошо,", "Хорошо, а у"} <= set(shown)
    assert all(answer.text.startswith(text) for text in shown)
