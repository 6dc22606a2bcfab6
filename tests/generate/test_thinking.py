"""Models that think before they answer, on both engines that run one here."""

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn
from functions.generate.decoding.stages import AnswerStages, WritingStage
from functions.generate.engine import Engine
from functions.generate.engines.openvino import engine as openvino_engine
from functions.generate.engines.transformers import engine as transformers_engine
from functions.generate.models.preparing import prepare_model
from tests.generate.thinking_models import ANSWER, OPENING_TEMPLATE, QUESTION, SECRET, make_thinking

ASKED = [Turn(role=Role.USER, text=QUESTION)]
GREEDY = Sampling(temperature=0, max_new_tokens=20, repetition_penalty=1)
WARM = Sampling(temperature=1, top_k=0, top_p=1, max_new_tokens=20, repetition_penalty=1)

on_every_engine = pytest.mark.parametrize("name", ["openvino", "transformers"])
with_every_kind_of_marks = pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "text"])
in_every_prompt = pytest.mark.parametrize("opens", [True, False], ids=["opened", "own"])


class Models:
    """The directories of the models, made when they are asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[tuple[str, bool, bool], Path] = {}

    def of(self, name: str, *, tokens: bool, opens: bool) -> Path:
        key = (name, tokens, opens)
        if key not in self._made:
            self._made[key] = self._make(name, tokens=tokens, opens=opens)
        return self._made[key]

    def _make(self, name: str, *, tokens: bool, opens: bool) -> Path:
        place = self._directory / f"{name}-{tokens}-{opens}"
        if opens:
            shutil.copytree(self.of(name, tokens=tokens, opens=False), place)
            if name == "transformers":
                (place / "chat_template.jinja").write_text(OPENING_TEMPLATE)
            else:
                served = json.loads((place / "serving.json").read_text())
                (place / "serving.json").write_text(json.dumps(served | {"chat_template": OPENING_TEMPLATE}))
            return place
        if name == "transformers":
            return make_thinking(place, marks_are_tokens=tokens)
        source = self.of("transformers", tokens=tokens, opens=False)
        return prepare_model(str(source), self._directory, bits=8, console=Console(quiet=True))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("thinking"))


@asynccontextmanager
async def opened(directory: Path, **how: Any) -> AsyncIterator[Engine]:
    engine: Engine
    if (directory / "serving.json").exists():
        engine = openvino_engine.OpenVINOEngine(directory, slots=4, clock=SystemClock(), **how)
    else:
        engine = transformers_engine.TransformersEngine.load(str(directory), clock=SystemClock(), **how)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture(autouse=True)
def told_at_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (openvino_engine, transformers_engine):
        monkeypatch.setattr(module, "PARTIAL_TEXT_INTERVAL", 0.0)


@on_every_engine
@with_every_kind_of_marks
@in_every_prompt
async def test_a_thought_is_counted_and_never_shown(models: Models, name: str, *, tokens: bool, opens: bool) -> None:
    shown: list[str] = []

    async def on_progress(text: str) -> None:
        shown.append(text)

    async with opened(models.of(name, tokens=tokens, opens=opens)) as engine:
        answer = await engine.generate(ASKED, GREEDY, on_progress=on_progress)
        cut = await engine.generate(ASKED, GREEDY.model_copy(update={"max_new_tokens": 3}))
    assert (answer.text, answer.finish_reason) == (ANSWER, FinishReason.STOP)
    assert answer.usage.output_tokens > GREEDY.max_new_tokens
    assert all(ANSWER.startswith(text) for text in shown)
    assert cut.finish_reason is FinishReason.LENGTH
    assert ANSWER.startswith(cut.text.removesuffix("…"))


@on_every_engine
@with_every_kind_of_marks
@in_every_prompt
@pytest.mark.parametrize("bound", [0, 8])
async def test_a_thought_that_reaches_its_bound_is_closed_and_the_answer_follows(
    models: Models, name: str, bound: int, *, tokens: bool, opens: bool
) -> None:
    async with opened(models.of(name, tokens=tokens, opens=opens), max_thought_tokens=bound) as engine:
        answer = await engine.generate(ASKED, GREEDY)
    assert (answer.text, answer.finish_reason) == (ANSWER, FinishReason.STOP)


@on_every_engine
@with_every_kind_of_marks
async def test_an_answer_after_a_thought_is_the_same_alone_and_together(
    models: Models, name: str, *, tokens: bool
) -> None:
    questions = [
        ([Turn(role=Role.USER, text=QUESTION * count)], WARM.model_copy(update={"seed": count}))
        for count in range(1, 7)
    ]
    async with opened(models.of(name, tokens=tokens, opens=False)) as engine:
        alone = [await engine.generate(*question) for question in questions]
        together = await asyncio.gather(*(engine.generate(*question) for question in questions))
    assert [(one.text, one.usage) for one in together] == [(one.text, one.usage) for one in alone]
    assert not any("<think>" in one.text or f"{SECRET} {SECRET}" in one.text for one in alone)


@on_every_engine
@pytest.mark.parametrize("number", [1, 2], ids=["thinking", "answering"])
@pytest.mark.parametrize("deadline", [True, False], ids=["deadline", "cancelled"])
async def test_a_question_that_is_given_up_in_any_stage_leaves_room(
    models: Models, monkeypatch: pytest.MonkeyPatch, name: str, number: int, *, deadline: bool
) -> None:
    loop, given_up = asyncio.get_running_loop(), threading.Event()
    following, main = AnswerStages.next, threading.current_thread()

    def watched(stages: AnswerStages) -> WritingStage | None:
        """At once: on a slow machine the answer is there before anybody who has to wake up first."""
        stage = following(stages)
        if stage and stage.number == number:
            loop.call_soon_threadsafe(give_up)
            if threading.current_thread() is not main:
                given_up.wait(30)
        return stage

    def give_up() -> None:
        if deadline:
            limit.reschedule(loop.time())
        else:
            task.cancel()

    async with opened(models.of(name, tokens=True, opens=False)) as engine:
        monkeypatch.setattr(AnswerStages, "next", watched)
        with suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(None) as limit:
                task = asyncio.create_task(engine.generate(ASKED, GREEDY))
                await task
        given_up.set()
        monkeypatch.undo()
        assert task.cancelled()
        assert (await engine.generate(ASKED, GREEDY)).text == ANSWER
